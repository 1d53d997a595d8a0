/** Each template as its user has it: copied, with the packed package, its own tests run, its own program started. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { NODE } from "../support/node.ts";
import { pack } from "../support/pack.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { BIN, run } from "../support/process.ts";
import { freePort } from "../support/workerd.ts";

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
  const tarball = await pack(root);
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
    "jose",
    "pg",
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

const [port, other, inspector] = await Promise.all([freePort(), freePort(), freePort()]);
const WRANGLER = ["--port", `${port}`, "--inspector-port", `${inspector}`];

/** What starts each: the program of its own, by which name npm calls it. */
const STARTS: Record<string, readonly string[]> = {
  worker: [join(BIN, "wrangler"), "dev", ...WRANGLER],
  "worker-auth": [...NODE, "dev/start.ts", ...WRANGLER],
  node: [...NODE, "src/main.ts"],
  "node-cluster": [...NODE, "dev/start.ts"],
  "embed-hono": [...NODE, "src/main.ts"],
};

/** The line that calls the tool, in the README or as the program prints it. */
const CALL = /npx holdfast (connect \S+ --tool count [^`\n]+)/;

/** Starts the project's program, calls its tool by that line, and ends it; the answer. */
async function callTool(
  name: string,
  project: string,
  vars: Record<string, string>,
): Promise<{ answer: string; code: number | null }> {
  const ending = new AbortController();
  let printed = "";
  const ended = run(STARTS[name] ?? [], {
    cwd: project,
    vars,
    signal: ending.signal,
    killSignal: "SIGTERM",
    onLine: async (line) => void (printed += `${line}\n`),
  }).then(({ code, stdout, stderr }) => {
    if (!ending.signal.aborted) throw new Error(`${name} ended with ${code}:\n${stdout}\n${stderr}`);
    return code;
  });
  const call = async (): Promise<string> => {
    const status = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/`)).status;
    await expect.poll(status, { timeout: 60_000, interval: 200 }).toBeGreaterThan(0);
    const readme = readFileSync(join(project, "README.md"), "utf8");
    const line = (CALL.exec(printed) ?? CALL.exec(readme))?.[1]?.replace(
      "127.0.0.1:8787",
      `127.0.0.1:${port}`,
    );
    const program = `${NODE.join(" ")} ${join(unpacked, "dist/src/client/bin.js")}`;
    const { stdout, stderr } = await run(["bash", "-euc", `${program} ${line}`]);
    ending.abort();
    return stdout || stderr;
  };
  const [answer, code] = await Promise.all([call(), ended]);
  return { answer, code };
}

describe.each(templates.map(({ name }) => name))("%s", (name) => {
  let database: TestDatabase | undefined;
  let project: string;
  let vars: Record<string, string>;
  beforeAll(async () => {
    // The embedded one of the template does not run as root.
    database = name === "node-cluster" ? await testDatabase() : undefined;
    project = create(name);
    vars = {
      PORT: `${port}`,
      PORTS: `${port},${other}`,
      API_KEY: "secret",
      CI: "1",
      ...(database && { DATABASE_URL: database.url }),
    };
  });
  afterAll(async () => await database?.close());

  test("passes its own tests", async () => {
    for (const file of ["README.md", "gitignore", ".github/workflows/ci.yml"]) {
      expect(readFileSync(join(project, file), "utf8")).not.toBe("");
    }
    const { code, stdout, stderr } = await run(["npm", "test"], { cwd: project, vars });
    const said = stripVTControlCharacters(stdout + stderr);
    expect(said).toMatch(/Tests +[12] passed/);
    expect(code, said).toBe(0);
  });

  test("can be deployed, where it is a Worker", async () => {
    if (!existsSync(join(project, "wrangler.jsonc"))) return expect(name).not.toContain("worker");
    const deploy = [join(BIN, "wrangler"), "deploy", "--dry-run"];
    expect(await succeeds(deploy, project)).toContain("MCP_SESSION");
  });

  test("starts, and its tool is called by the line that it shows", async () => {
    const { answer, code } = await callTool(name, project, vars);
    expect(answer).toBe(name === "worker-auth" ? "ann: 1\n" : "1\n");
    // wrangler says by what it was ended.
    expect(code).toBe(name.startsWith("worker") ? 143 : 0);
  });
});
