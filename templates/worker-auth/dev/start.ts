/** `npm start`: `wrangler dev`, with an issuer of its own, and a token of that for you. Arguments are wrangler's. */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { startIssuer } from "./issuer.ts";

const args = process.argv.slice(2);
const { values } = parseArgs({ args, options: { port: { type: "string" } }, strict: false });
const isGiven = typeof values.port === "string";
const port = isGiven ? values.port : "8787";
const resource = `http://127.0.0.1:${port}/mcp`;
const issuer = await startIssuer();
const token = await issuer.token("ann", resource);

const vars = ["--var", `RESOURCE:${resource}`, "--var", `ISSUER:${issuer.url}`];
const wrangler = spawn("wrangler", ["dev", ...vars, ...(isGiven ? [] : ["--port", "8787"]), ...args], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
console.log(`A token of ann's, good for an hour. Once it is ready:

  npx holdfast connect ${resource} --tool count --args '{"by":1}' --header 'Authorization: Bearer ${token}'
`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => wrangler.kill(signal));
wrangler.once("exit", (code) => process.exit(code ?? 1));
