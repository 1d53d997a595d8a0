/** Copies a template into a folder of its own. @module */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const TEMPLATES = fileURLToPath(new URL("templates", import.meta.url));

/** The templates, with what each is for, and what starts it. */
export const CHOICES = [
  { value: "worker", label: "Cloudflare Workers", hint: "one Durable Object a session", start: "npm start" },
  {
    value: "worker-auth",
    label: "Cloudflare Workers, with sign-in",
    hint: "OAuth, by the tokens of an issuer",
    start: "npm start",
  },
  { value: "node", label: "Node", hint: "a program, with a SQLite file", start: "npm start" },
  {
    value: "node-cluster",
    label: "Node, several processes",
    hint: "over one Postgres, behind any balancer",
    start: "npm run dev",
  },
  {
    value: "embed-hono",
    label: "In a Hono app",
    hint: "on Node, with a key for its callers",
    start: "API_KEY=secret npm start",
  },
];

/** Where a template says its own name: as a package, as a Worker, as an MCP server. */
const NAMED = ["package.json", "wrangler.jsonc", "src/index.ts", "src/main.ts", "src/server.ts"];

/**
 * Says what is wrong with a folder, or undefined where the project can go there.
 * @param {string | undefined} directory
 * @returns {string | undefined}
 */
export function refuse(directory) {
  if (directory === undefined || directory.trim() === "") return "Name a folder.";
  if (existsSync(directory) && readdirSync(directory).length > 0) return `${directory} is not empty.`;
  return undefined;
}

/**
 * Makes the project.
 * @param {string} template one of {@link CHOICES}
 * @param {string} directory is made where it is not there
 * @returns {string} the commands that come next
 * @throws {Error} where there is no such template, or the folder is not empty
 */
export function create(template, directory) {
  const choice = CHOICES.find(({ value }) => value === template);
  if (choice === undefined) {
    throw new Error(`There is no template ${template}: ${CHOICES.map(({ value }) => value).join(", ")}.`);
  }
  const refusal = refuse(directory);
  if (refusal !== undefined) throw new Error(refusal);
  cpSync(join(TEMPLATES, template), directory, { recursive: true });
  // npm leaves out what is called .gitignore.
  renameSync(join(directory, "gitignore"), join(directory, ".gitignore"));

  const name = basename(resolve(directory))
    .toLowerCase()
    .replaceAll(/[^a-z\d-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const { name: old } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  for (const file of name === "" ? [] : NAMED) {
    const path = join(directory, file);
    if (existsSync(path)) writeFileSync(path, readFileSync(path, "utf8").replaceAll(`"${old}"`, `"${name}"`));
  }
  const folder = /^[\w./-]+$/.test(directory) ? directory : JSON.stringify(directory);
  return `cd ${folder} && npm install && npm test && ${choice.start}`;
}
