/**
 * `npm start`: the example under `wrangler dev`. Arguments are wrangler's own (`--port`,
 * `--persist-to`, …); HOLDFAST_* variables of the environment reach the Worker. The test page is on.
 * @module
 */
import { spawn } from "node:child_process";
import { optionsFromEnv } from "../src/options.ts";

try {
  optionsFromEnv(process.env);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

const settings = Object.entries({ HOLDFAST_TEST_PAGE: "1", ...process.env })
  .filter(([name]) => name.startsWith("HOLDFAST_"))
  .flatMap(([name, value]) => ["--var", `${name}:${value}`]);

const wrangler = spawn("wrangler", ["dev", ...settings, ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => wrangler.kill(signal));
wrangler.on("error", (error) => {
  console.error(`wrangler could not be started (${error.message}); run npm ci first`);
  process.exit(1);
});
wrangler.on("exit", (code) => process.exit(code ?? 1));
