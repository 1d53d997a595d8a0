/** The package as its users get it: packed, installed in an empty project, imported, type-checked, bundled. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { current, linked } from "../../scripts/links.ts";
import { BUN } from "../support/bun.ts";
import { DENO } from "../support/deno.ts";
import { post } from "../support/mcp.ts";
import { initialize } from "../support/messages.ts";
import { NODE } from "../support/node.ts";
import { pack } from "../support/pack.ts";
import { BIN, run } from "../support/process.ts";
import { WORKER_TEXT } from "../support/worker-bundle.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const CONSUMER = new URL("consumer", import.meta.url).pathname;

type Exports = Record<string, string | { types: string; default: string }>;
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<string, unknown> & {
  exports: Exports;
  dependencies: Record<string, string>;
};
const deno = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")) as {
  version: string;
  license: string;
  exports: Record<string, string>;
  imports: Record<string, string>;
};
const entries = Object.entries(manifest.exports).filter(([name]) => name !== "./package.json");

/** The servers that docs/embedding.md shows, by the file that their first line names. */
const SNIPPETS = new Map(
  Array.from(
    readFileSync(join(ROOT, "docs/embedding.md"), "utf8").matchAll(/^```ts\n\/\/ (\w+\.ts)\n([^]*?)^```$/gm),
    ([, file = "", text = ""]) => [file, text],
  ),
);

/** What comes with the package: an SSE parser for its clients. The command line has its own within. */
const DEPENDENCIES = ["eventsource-parser"];

/** Runs a program that must succeed, and returns what it printed. */
async function succeeds(command: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, { cwd });
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout + stderr;
}

// Compilers, three runtimes and a package manager: slow where others are at work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let root: string;
let tarball: string;
let project: string;
let stranger: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "holdfast-package-"));
  tarball = await pack(root);

  project = join(root, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const flags = ["--offline", "--legacy-peer-deps", "--no-audit", "--no-fund", "--ignore-scripts"];
  // Who only runs the program: no peer, no SDK, nothing of this checkout above it.
  stranger = join(root, "stranger");
  mkdirSync(stranger);
  writeFileSync(join(stranger, "package.json"), JSON.stringify({ private: true }));

  // No registry is needed: its dependencies come from this checkout, those of its own packed anew.
  for (const name of DEPENDENCIES) {
    const from = join(ROOT, "node_modules", name);
    await succeeds(["npm", "pack", from, "--pack-destination", root, "--ignore-scripts"], root);
  }
  const tarballs = readdirSync(root).filter((name) => name.endsWith(".tgz"));
  const files = tarballs.map((name) => join(root, name));
  await succeeds(["npm", "install", ...flags, ...files], project);
  await succeeds(["npm", "install", ...flags, ...files], stranger);
  for (const name of [
    "hono",
    "@hono",
    "@modelcontextprotocol",
    "jose",
    "pg",
    "zod",
    "@types",
    "undici-types",
  ]) {
    symlinkSync(join(ROOT, "node_modules", name), join(project, "node_modules", name));
  }
  cpSync(CONSUMER, project, { recursive: true });
  for (const [file, text] of SNIPPETS) {
    writeFileSync(join(project, file), text.replace("port: 8787", "port: 0"));
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the tarball", () => {
  test("passes publint", async () => {
    expect(await succeeds([join(BIN, "publint"), tarball, "--strict"], ROOT)).toContain("All good!");
  });

  test("passes are-the-types-wrong, for every entry", async () => {
    const report = await succeeds(
      [join(BIN, "attw"), tarball, "--profile", "esm-only", "--format", "ascii"],
      ROOT,
    );
    for (const [name] of entries) expect(report).toContain(join("holdfast", name));
  });

  test("holds sources and build alike, and nothing of tests, examples or tools", async () => {
    const installed = join(project, "node_modules/holdfast");
    const files = readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
    for (const file of ["LICENSE", "README.md", "CHANGELOG.md", "package.json"])
      expect(files).toContain(file);
    for (const file of files) {
      expect(file).toMatch(/^(dist|src|worker)\/|^[^/]+$/);
      expect(file).not.toMatch(/(^|\/)(examples?|tests?)\/|\.test\.|tsconfig|tsbuildinfo/);
    }
    const sources = files.filter((file) => /^(src|worker)\//.test(file));
    for (const source of sources) expect(files).toContain(join("dist", source.replace(/\.ts$/, ".js")));
  });

  test("says that it has no side effects, and depends on a parser and its peers", () => {
    expect(manifest["sideEffects"]).toBe(false);
    expect(manifest["type"]).toBe("module");
    expect(Object.keys(manifest.dependencies)).toEqual(DEPENDENCIES);
  });
});

describe("deno.json", () => {
  test("has the entries of package.json, each with the source of its build, under the same version", () => {
    const sources = Object.fromEntries(
      entries.map(([name, target]) => [
        name,
        typeof target === "string" ? target : target.default.replace("./dist/", "./").replace(/\.js$/, ".ts"),
      ]),
    );
    expect(deno.exports).toEqual(sources);
    for (const source of Object.values(sources)) expect(existsSync(join(ROOT, source))).toBe(true);
    expect({ version: deno.version, license: deno.license }).toEqual({
      version: manifest["version"],
      license: manifest["license"],
    });
    for (const [name, range] of Object.entries(manifest.dependencies)) {
      expect(deno.imports[name]).toBe(`npm:${name}@${range}`);
    }
  });

  test("its entries pass `deno check`", async () => {
    await succeeds([join(BIN, "deno"), "check", ...Object.values(deno.exports)], ROOT);
  });

  test("`deno publish --dry-run` passes, types as fast as JSR wants them", async () => {
    const args = ["publish", "--dry-run", "--allow-dirty"];
    expect(await succeeds([join(BIN, "deno"), ...args], ROOT)).toContain("Success");
  });
});

describe("in a project without its optional peers", () => {
  test("`serve` of holdfast/node says what to install, and the rest of the entry works", async () => {
    const bare = join(root, "bare");
    mkdirSync(join(bare, "node_modules"), { recursive: true });
    cpSync(join(project, "node_modules/holdfast"), join(bare, "node_modules/holdfast"), { recursive: true });
    symlinkSync(join(ROOT, "node_modules/hono"), join(bare, "node_modules/hono"));
    writeFileSync(
      join(bare, "main.mjs"),
      `import { createLocalMcp, serve } from "holdfast/node";
      const mcp = createLocalMcp({ createServer() {}, logLevel: "silent" });
      console.log((await mcp.router.request("/health")).status);
      await serve({ fetch: mcp.router.fetch, port: 0 }).catch((error) => console.log(error.message));
      await mcp.close();`,
    );
    expect(await succeeds([...NODE, "main.mjs"], bare)).toContain(
      "200\nserve of holdfast/node needs @hono/node-server: npm install @hono/node-server\n",
    );
  });
});

describe("where it comes from", () => {
  test("is said in one place, which the rest follows (`npm run links`)", () => {
    expect(current()).toEqual(linked(current()));
    const moved = JSON.parse(JSON.stringify(current())) as ReturnType<typeof current>;
    const there = linked({
      ...moved,
      manifest: moved.manifest
        .replace("OWNER/holdfast.git", "else/where.git")
        .replace('"version": "', '"version": "9.'),
    });
    expect(there.readme).toContain("](https://github.com/else/where/blob/main/docs/");
    expect(there.manifest).toContain('"https://github.com/else/where/issues"');
    expect(JSON.stringify(there)).not.toContain("OWNER");
    expect(there.readme).toContain("?url=https://github.com/else/where/tree/main/templates/worker)");
    const { version } = JSON.parse(there.manifest) as { version: string };
    expect(there.apart["create-holdfast/package.json"]).toContain(`"version": "${version}"`);
    const ranges = Object.entries(there.apart).filter(([path]) => /^templates\/.*package\.json$/.test(path));
    expect(ranges.length).toBeGreaterThan(3);
    for (const [, text] of ranges) expect(text).toContain(`"holdfast": "^${version}"`);
  });

  test("each link of the README is absolute, and leads to a file of this repository", () => {
    const links = Array.from(current().readme.matchAll(/\]\(([^)]+)\)/g), ([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(10);
    for (const link of links) {
      const path = /^https:\/\/github\.com\/[\w-]+\/[\w-]+\/blob\/main\/([^#]+)/.exec(link)?.[1];
      if (path === undefined) expect(link).toMatch(/^https:\/\//);
      else expect(existsSync(join(ROOT, path)), link).toBe(true);
    }
  });

  test("a release is a person's word, and nobody else's", () => {
    const release = readFileSync(join(ROOT, ".github/workflows/release.yml"), "utf8");
    const isByHand = (workflow: string): boolean =>
      /^on:\n([^]*?)\n\n/m
        .exec(workflow)?.[1]
        ?.match(/^ {2}\w+:/gm)
        ?.join() === "  workflow_dispatch:";
    expect(isByHand(release)).toBe(true);
    expect(release).toContain("npm publish --provenance");
    expect(release).toContain("npm publish ./create-holdfast --provenance");
    expect(release).toMatch(/deno publish$/m);
    const others = readdirSync(join(ROOT, ".github/workflows"))
      .filter((name) => name !== "release.yml")
      .map((name) => readFileSync(join(ROOT, ".github/workflows", name), "utf8"));
    for (const workflow of others) {
      expect(workflow).not.toMatch(/publish|secrets\./);
      if (!isByHand(workflow)) expect(workflow).not.toMatch(/id-token|deploy-pages|: write/);
    }
  });
});

describe("in an empty project", () => {
  /** Runs a server of the project on a new file, tries it, and sees it end as it is told to. */
  const whileServing = async (
    command: readonly string[],
    attempt: (url: string) => Promise<void>,
  ): Promise<void> => {
    rmSync(join(project, "sessions.db"), { force: true });
    const ending = new AbortController();
    const ended = run([...command], {
      cwd: project,
      signal: ending.signal,
      killSignal: "SIGTERM",
      async onLine(line) {
        const url = /^MCP at (\S+)$/.exec(line)?.[1];
        if (url === undefined) return;
        await attempt(url);
        ending.abort();
      },
    });
    expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining("MCP at") });
  };

  test.each([
    ["Node", NODE],
    ["Deno", DENO],
    ["Bun", BUN],
  ])("a server runs on %s", async (_name, command) => {
    rmSync(join(project, "sessions.db"), { force: true });
    expect(await succeeds([...command, "main.ts"], project)).toContain("consumer: ok");
  });

  test.each([
    ["node.ts", NODE],
    ["deno.ts", DENO],
    ["bun.ts", BUN],
  ])(
    "%s of docs/embedding.md, in fewer than 15 lines, serves until it is told to end",
    async (file, command) => {
      expect(SNIPPETS.get(file)?.trimEnd().split("\n").length).toBeLessThan(15);
      await whileServing([...command, file], async (url) => {
        const answer = await post(url, initialize());
        expect(answer.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
      });
    },
  );

  test("app.ts of docs/embedding.md serves whom its middleware lets in", async () => {
    await whileServing([...NODE, "app.ts"], async (url) => {
      expect((await post(url, initialize())).status).toBe(401);
      const answer = await post(url, initialize(), { Authorization: "Bearer of-ann" });
      expect(answer.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
    });
  });

  test.each([
    ["npx", ["npx", "--no-install", "holdfast"]],
    ["Deno", [...DENO, "node_modules/holdfast/dist/src/client/bin.js"]],
    ["Bun", [...BUN, "node_modules/holdfast/dist/src/client/bin.js"]],
  ])("`holdfast connect` calls a tool of a server, run by %s", async (_name, command) => {
    await whileServing([...NODE, "node.ts"], async (url) => {
      const { code, stdout, stderr } = await run([...command, "connect", url, "--tool", "hello"], {
        cwd: stranger,
      });
      expect(stdout).toBe("Hello there\n");
      expect(stderr).toMatch(/^ {12}protocol +2025-11-25 \(session\)$/m);
      expect(code).toBe(0);
    });
  });

  test.each(["nodenext", "bundler"])(
    "all entries type-check, declarations included (%s)",
    async (resolution) => {
      const files = ["main.ts", "node.ts", "bun.ts", "app.ts"];
      const lib = "es2024,dom,dom.iterable,dom.asynciterable";
      const options = [
        "--noEmit",
        "--strict",
        "--allowImportingTsExtensions",
        "--target",
        "es2024",
        "--lib",
        lib,
      ];
      const module = resolution === "bundler" ? "esnext" : "nodenext";
      const modules = ["--module", module, "--moduleResolution", resolution, "--types", "node"];
      await succeeds([join(BIN, "tsc"), ...options, ...modules, ...files], project);
    },
  );

  test("the Worker's entry type-checks against the platform's types", async () => {
    const types = join(ROOT, "node_modules/@cloudflare/workers-types/index.d.ts");
    const options = ["--noEmit", "--strict", "--target", "es2024", "--lib", "es2024", "--module", "nodenext"];
    await succeeds([join(BIN, "tsc"), ...options, "--types", types, "--skipLibCheck", "worker.ts"], project);
  });

  test("Deno type-checks it", async () => {
    await succeeds([join(BIN, "deno"), "check", "main.ts", "deno.ts"], project);
  });

  /** Bundles as wrangler does; returns the code and what it imports from outside. */
  const bundle = async (contents: string): Promise<{ code: string; imports: string[] }> => {
    const { outputFiles, metafile } = await build({
      stdin: { contents, resolveDir: project, loader: "ts" },
      ...WORKER_TEXT,
      minify: true,
      metafile: true,
    });
    const imports = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.map(({ path }) => path),
    );
    return { code: outputFiles[0]?.text ?? "", imports: [...new Set(imports)] };
  };

  test("it bundles for Workers, with nothing of Node's", async () => {
    const { code, imports } = await bundle(readFileSync(join(CONSUMER, "worker.ts"), "utf8"));
    expect(imports).toEqual(["cloudflare:workers"]);
    expect(code).toContain("Mcp-Session-Id");
  });

  test("what is not used is not bundled: no SDK and no console without their entries, no router for a constant", async () => {
    const worker = await bundle(
      'import { createMcpWorker } from "holdfast/cloudflare"; console.log(createMcpWorker)',
    );
    expect(worker.code).not.toContain("ProtocolError");
    expect(worker.code).not.toContain("Get Tools List");
    const constant = await bundle(
      'import { SESSION_VERSIONS } from "holdfast"; console.log(SESSION_VERSIONS)',
    );
    expect(constant.code.length).toBeLessThan(1000);
  });
});
