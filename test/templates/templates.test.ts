/** Each template as its user has it: copied, with the packed package, its own tests run, its own program started. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { post } from "../support/mcp.ts";
import { initialize } from "../support/messages.ts";
import { NODE } from "../support/node.ts";
import { BIN, run } from "../support/process.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const TEMPLATES = join(ROOT, "templates");
const templates = readdirSync(TEMPLATES, { withFileTypes: true }).filter((entry) => entry.isDirectory());

// A package manager, compilers and wrangler: slow where others are at work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let root: string;
let unpacked: string;

async function succeeds(command: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, { cwd });
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout + stderr;
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "holdfast-templates-"));
  await succeeds(["npm", "pack", "--pack-destination", root], ROOT);
  const tarball = readdirSync(root).find((name) => name.endsWith(".tgz")) ?? "";
  await succeeds(["tar", "-xzf", tarball], root);
  unpacked = join(root, "package");
  // What it depends on is where npm would have put it.
  mkdirSync(join(unpacked, "node_modules"));
  link(join(unpacked, "node_modules"), [
    "commander",
    "eventsource-parser",
    "hono",
    "@modelcontextprotocol",
    "@hono",
  ]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function link(modules: string, names: readonly string[]): void {
  for (const name of names) symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
}

/** Copies the template, with what its package.json asks for, and no more. */
function create(name: string): string {
  const project = join(root, name);
  cpSync(join(TEMPLATES, name), project, { recursive: true });
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(project, "package.json"), "utf8"),
  ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
  const wanted = Object.keys({ ...dependencies, ...devDependencies }).filter((one) => one !== "holdfast");
  const modules = join(project, "node_modules");
  for (const scope of wanted.filter((one) => one.startsWith("@"))) {
    mkdirSync(join(modules, scope.split("/")[0] ?? ""), { recursive: true });
  }
  mkdirSync(modules, { recursive: true });
  link(modules, wanted);
  symlinkSync(unpacked, join(modules, "holdfast"));
  symlinkSync(BIN, join(modules, ".bin"));
  return project;
}

test.each(templates.map(({ name }) => name))("%s passes its own tests", async (name) => {
  const project = create(name);
  for (const file of ["README.md", "gitignore", ".github/workflows/ci.yml"]) {
    expect(readFileSync(join(project, file), "utf8")).not.toBe("");
  }
  const { scripts } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const said = await succeeds(["npm", "test"], project);
  expect(stripVTControlCharacters(said)).toMatch(/Tests +1 passed/);

  if (scripts["deploy"] !== undefined) {
    expect(await succeeds([join(BIN, "wrangler"), "deploy", "--dry-run"], project)).toContain("MCP_SESSION");
    return;
  }
  const ending = new AbortController();
  const ended = await run([...NODE, "src/main.ts"], {
    cwd: project,
    vars: { PORT: "0", API_KEY: "key" },
    signal: ending.signal,
    killSignal: "SIGTERM",
    async onLine(line) {
      const url = /^MCP at (\S+)$/.exec(line)?.[1];
      if (url === undefined) return;
      const answer = await post(url, initialize(), { Authorization: "Bearer key" });
      expect(answer.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
      ending.abort();
    },
  });
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining("MCP at") });
});
