/** Copies a template into a folder of its own. @module */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const TEMPLATES = fileURLToPath(new URL("templates", import.meta.url));

/** The templates, with what each is for. */
export const CHOICES = [
  { value: "worker", label: "Cloudflare Workers", hint: "one Durable Object a session" },
  { value: "node", label: "Node", hint: "a program, with a SQLite file" },
  { value: "embed-hono", label: "In a Hono app", hint: "on Node, with a key for its callers" },
];

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
 * @throws {Error} where there is no such template, or the folder is not empty
 */
export function create(template, directory) {
  if (!CHOICES.some(({ value }) => value === template)) {
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
  if (name === "") return;
  for (const file of ["package.json", "wrangler.jsonc"]) {
    const path = join(directory, file);
    if (!existsSync(path)) continue;
    writeFileSync(path, readFileSync(path, "utf8").replace(/"name": "[^"]*"/, `"name": "${name}"`));
  }
}
