/**
 * What the clients run on: each environment is installed once, from the versions that the files under
 * `clients/` pin, into a folder that git ignores. Builds are niced: the clients that are ready already
 * run meanwhile.
 * @module
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "../support/process.ts";

const CLIENTS = new URL("clients/", import.meta.url).pathname;
/** Everything that a run leaves behind. */
export const CACHE: string = new URL(".cache/", import.meta.url).pathname;
const ENVS = join(CACHE, "envs");
const INSTALL_LIMIT_MS = 600_000;

export const clientPath = (file: string): string => join(CLIENTS, file);
export const envPath = (file: string): string => join(ENVS, file);

interface Env {
  /** Commands that must be there. */
  readonly tools: readonly string[];
  /** Files and folders under `clients/` that decide what is installed. */
  readonly pins: readonly string[];
  readonly steps: readonly (readonly string[])[];
  readonly cwd?: string;
  readonly vars?: Readonly<Record<string, string>>;
}

const python = (name: string): Env => ({
  tools: ["python3"],
  pins: [`python/requirements/${name}.txt`],
  steps: [
    ["python3", "-m", "venv", "--clear", envPath(`python-${name}`)],
    [
      envPath(`python-${name}/bin/python`),
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "--no-deps",
      "-r",
      clientPath(`python/requirements/${name}.txt`),
    ],
  ],
});

const go = (out: string, program: string, ...flags: readonly string[]): Env => ({
  tools: ["go"],
  pins: ["go"],
  steps: [["go", "build", "-buildvcs=false", ...flags, "-o", envPath(out), program]],
  cwd: clientPath("go"),
});

const java = (version: string): Env => ({
  tools: ["java", "javac", "mvn"],
  pins: ["java"],
  steps: [
    [
      "mvn",
      "-q",
      "-B",
      "-f",
      clientPath("java/pom.xml"),
      `-Dmcp=${version}`,
      "dependency:copy-dependencies",
      `-DoutputDirectory=${envPath(`java-${version}/libs`)}`,
    ],
    [
      "javac",
      "-nowarn",
      "-cp",
      envPath(`java-${version}/libs/*`),
      "-d",
      envPath(`java-${version}/classes`),
      clientPath("java/Client.java"),
    ],
  ],
});

/** In the order in which they are installed: the quick ones first. `none` is what `npm ci` brings. */
export const ENV = {
  none: { tools: [], pins: [], steps: [] },
  npm: {
    tools: ["npm"],
    pins: ["npm"],
    steps: [["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]],
    cwd: envPath("npm"),
  },
  "python-mcp-1.30": python("mcp-1.30"),
  "python-mcp-2.3": python("mcp-2.3"),
  "python-mcp-1.12": python("mcp-1.12"),
  "python-openai-agents": python("openai-agents"),
  "java-2.1.0": java("2.1.0"),
  "java-2.0.1": java("2.0.1"),
  go: go("go/gosdk", "./gosdk"),
  mark3labs: go("go/mark3labs", "./mark3labs"),
  "go-1.3": go("go/gosdk-1.3.1", "./gosdk", "-tags", "old", `-modfile=${clientPath("go/go-sdk-1.3.1.mod")}`),
  rust: {
    tools: ["cargo"],
    pins: ["rust"],
    steps: [["cargo", "build", "--locked", "--quiet"]],
    cwd: clientPath("rust"),
    vars: { CARGO_TARGET_DIR: envPath("rust") },
  },
} as const satisfies Record<string, Env>;

export type EnvName = keyof typeof ENV;

/** Why an environment is not there. */
export type Missing = string | undefined;

/** Makes an environment ready. Resolves to the reason where it cannot be. */
export async function install(name: EnvName): Promise<Missing> {
  const { tools, pins, steps, cwd, vars = {} }: Env = ENV[name];
  const lacking = tools.filter((tool) => !isInstalled(tool));
  if (lacking.length > 0) return `no ${lacking.join(", ")} on this machine`;
  if (steps.length === 0) return undefined;

  const stamp = envPath(`${name}.stamp`);
  const wanted = fingerprint(pins, steps);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return undefined;

  mkdirSync(ENVS, { recursive: true });
  rmSync(stamp, { force: true });
  if (name === "npm") copyPackageFiles();
  for (const step of steps) {
    const result = await run(["nice", "-n", "15", ...step], {
      cwd,
      vars: { ...environment(), ...vars },
      signal: AbortSignal.timeout(INSTALL_LIMIT_MS),
    });
    if (result.code !== 0)
      return `${step.slice(0, 3).join(" ")} failed: ${lastLine(result.stderr || result.stdout)}`;
  }
  writeFileSync(stamp, wanted);
  return undefined;
}

/** A package manager is told by its user's variables where it may look. */
function environment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
}

function isInstalled(tool: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, tool)));
}

/** npm installs beside its `package.json`, and nothing is to be installed among the sources. */
function copyPackageFiles(): void {
  mkdirSync(envPath("npm"), { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) {
    writeFileSync(envPath(`npm/${file}`), readFileSync(clientPath(`npm/${file}`)));
  }
}

function fingerprint(pins: readonly string[], steps: readonly (readonly string[])[]): string {
  const hash = createHash("sha256").update(JSON.stringify(steps));
  for (const pin of pins) {
    for (const file of filesUnder(clientPath(pin))) hash.update(readFileSync(file));
  }
  return hash.digest("hex");
}

function filesUnder(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}

const lastLine = (output: string): string => output.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
