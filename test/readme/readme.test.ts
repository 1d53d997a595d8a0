/**
 * What the README tells a newcomer to do, done: the commands as they stand there, and the snippet.
 * @module
 */
import { execFile, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUN } from "../support/bun.ts";
import { DENO } from "../support/deno.ts";
import { NODE } from "../support/node.ts";
import { pack } from "../support/pack.ts";
import { freePort } from "../support/workerd.ts";

const root = new URL("../../", import.meta.url).pathname;
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The fenced blocks in this language. */
function blocks(language: string): string[] {
  const found = [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))];
  return found.map(([, text = ""]) => text);
}

/** The one that holds `mark`. */
function block(language: string, mark: string): string {
  const found = blocks(language).find((text) => text.includes(mark));
  if (found === undefined) throw new Error(`README.md has no ${language} block with ${mark}`);
  return found;
}

describe("npm start", () => {
  const state = mkdtempSync(join(root, ".wrangler-test-"));
  let stop = (): Promise<void> => Promise.resolve();
  afterAll(async () => {
    await stop();
    rmSync(state, { recursive: true, force: true });
  });

  /** `npm start`, up to the first answer; the returned function kills all of it with SIGKILL. */
  async function start(port: number): Promise<() => Promise<void>> {
    const child = spawn("npm", ["start", "--", "--port", String(port), "--persist-to", state], {
      cwd: root,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk));
    const gone = new Promise((resolve) => child.once("exit", resolve));
    for (let attempt = 0; attempt < 600; attempt++) {
      if (child.exitCode !== null) throw new Error(`npm start ended: ${output}`);
      const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
      if (answer?.ok) {
        return async () => {
          // The group, by its leader's id: npm, wrangler and workerd are all of it.
          process.kill(-(child.pid ?? 0), "SIGKILL");
          await gone;
        };
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`npm start did not come up: ${output}`);
  }

  it("serves the recipe, and counts on in the same session after it was killed", async () => {
    const port = await freePort();
    const recipe = block("sh", "SESSION=").replaceAll("127.0.0.1:8787", `127.0.0.1:${port}`);
    const count = recipe.slice(recipe.indexOf("# Count."));
    const sh = async (script: string): Promise<string> => {
      const { stdout } = await promisify(execFile)("bash", ["-euc", script]);
      return stdout;
    };

    stop = await start(port);
    const first = await sh(`${recipe}\necho; echo "session=$SESSION"`);
    expect(first).toContain('"text":"1"');
    const session = /session=(\w{64})/.exec(first)?.[1];
    expect(session).toBeDefined();

    const client = new Client({ name: "readme", version: "1" });
    const transport = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`));
    await client.connect(transport);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("counter");
    await client.close();

    const line = block("sh", "--tool counter")
      .replace("npx holdfast", `${process.execPath} src/client/bin.ts`)
      .replace("127.0.0.1:8787", `127.0.0.1:${port}`);
    expect(await sh(`cd ${root}; ${line}`)).toBe("1\n");

    await stop();
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    stop = await start(port);
    expect(await sh(`SESSION=${session}\n${count}`)).toContain('"text":"2"');
  }, 120_000);
});

/** A project as a newcomer has it: the packed package and what the README installs beside it, and nothing else. */
describe("in an empty project, with the packed package,", () => {
  let project: string;
  const run = (
    command: string,
    env: Record<string, string> = {},
  ): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)("bash", ["-euc", command], { cwd: project, env: { ...process.env, ...env } });
  const write = (language: string, name: string, change: (text: string) => string = (text) => text): void => {
    const [first = "", ...rest] = block(language, `// ${name}`).split("\n");
    expect(first).toBe(`// ${name}`);
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), change(rest.join("\n")));
  };

  /** Starts a server, and gives what it takes until it is ended. */
  async function whileRunning<T>(
    [command = "", ...args]: readonly string[],
    env: Record<string, string>,
    body: (url: string) => Promise<T>,
  ): Promise<T> {
    const child = spawn(command, args, {
      cwd: project,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk));
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const url = `http://127.0.0.1:${env["PORT"]}`;
    try {
      for (let attempt = 0; ; attempt++) {
        if (child.exitCode !== null || attempt === 900)
          throw new Error(`${command} did not come up: ${output}`);
        if ((await fetch(`${url}/health`).catch(() => undefined))?.ok) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return await body(url);
    } finally {
      process.kill(-(child.pid ?? 0), "SIGKILL");
      await gone;
    }
  }

  const hello = async (url: string, ...arguments_: object[]): Promise<unknown> => {
    const client = new Client({ name: "readme", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
    const { content } = await client.callTool({ name: "hello", arguments: { ...arguments_[0] } });
    await client.close();
    return content;
  };

  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), "holdfast-readme-"));
    writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
    await pack(project);
    const modules = join(project, "node_modules");
    mkdirSync(join(modules, "holdfast"), { recursive: true });
    await run("tar xzf holdfast-*.tgz -C node_modules/holdfast --strip-components=1");
    // What npm would bring: the packages that the README names, and what they and ours depend on.
    const installs = blocks("sh").filter((text) => text.startsWith("npm install"));
    const names = installs
      .flatMap((text) => text.split(/\s+/))
      .filter((word) => /^@?[a-z][a-z/-]+$/.test(word));
    expect(names).toContain("wrangler");
    expect(names).toContain("@hono/node-server");
    const { dependencies, peerDependencies } = JSON.parse(
      readFileSync(join(modules, "holdfast/package.json"), "utf8"),
    ) as Record<string, Record<string, string>>;
    const own = [...Object.keys(dependencies ?? {}), "hono"];
    expect(Object.keys(peerDependencies ?? {})).toContain("hono");
    for (const name of new Set([...names, ...own])) {
      if (["npm", "install", "holdfast"].includes(name)) continue;
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(root, "node_modules", name), join(modules, name));
    }
    mkdirSync(join(modules, ".bin"));
    for (const bin of ["wrangler", "tsc"])
      symlinkSync(join(root, "node_modules/.bin", bin), join(modules, ".bin", bin));
    symlinkSync("../holdfast/dist/src/client/bin.js", join(modules, ".bin/holdfast"));
    await run("chmod +x node_modules/holdfast/dist/src/client/bin.js");
  }, 240_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  describe("the Worker", () => {
    beforeAll(async () => {
      write("ts", "src/index.ts");
      write("jsonc", "wrangler.jsonc");
      writeFileSync(join(project, "tsconfig.json"), block("json", '"compilerOptions"'));
      await run("npx wrangler types");
    }, 120_000);

    it("type-checks with what `wrangler types` makes of its configuration", async () => {
      await run("npx tsc -p .");
      // The SDK's declarations name a type of Node's; ours are clean without `skipLibCheck` too.
      const { stdout } = await run("npx tsc -p . --skipLibCheck false || true");
      const errors = stdout.split("\n").filter((line) => /error TS/.test(line));
      expect(errors.filter((line) => !line.includes("@modelcontextprotocol/server/"))).toEqual([]);
    }, 120_000);

    it("is deployable as it stands", async () => {
      const { stdout } = await run("npx wrangler deploy --dry-run");
      expect(stdout).toContain("env.MCP_SESSION (McpSession)");
      expect(stdout).not.toMatch(/warning/i);
    }, 120_000);

    it("serves under `wrangler dev`, and the line for the shell calls its tool", async () => {
      const port = String(await freePort());
      const line = block("sh", "--tool hello").replaceAll("8787", port);
      const dev = ["npx", "wrangler", "dev", "--port", port, "--inspector-port", String(await freePort())];
      await whileRunning(dev, { PORT: port, CI: "1" }, async (url) => {
        expect(await hello(url, { name: "you" })).toEqual([
          { type: "text", text: expect.stringMatching(/^Hello you, this is \w{64}$/) },
        ]);
        const { stdout } = await run(line);
        expect(stdout).toMatch(/^Hello you, this is \w+/m);
        expect(await (await fetch(`${url}/info`)).json()).toMatchObject({ name: "hello" });
      });
    }, 180_000);
  });

  it.each<[string, readonly string[]]>([
    ["node", NODE],
    ["deno", DENO],
    ["bun", BUN],
  ])(
    "the program serves on %s, on the port that PORT names, and keeps its sessions",
    async (runtime, command) => {
      write("ts", "server.ts", (text) => text.replace("holdfast/node", `holdfast/${runtime}`));
      rmSync(join(project, "sessions.db"), { force: true });
      const PORT = String(await freePort());
      // The flags that the README gives Deno are those that the tests do.
      await whileRunning([...command, "server.ts"], { PORT }, async (url) => {
        expect(await hello(url)).toEqual([{ type: "text", text: "Hello" }]);
      });
      expect(existsSync(join(project, "sessions.db"))).toBe(true);
    },
    120_000,
  );
});

it("its commands for the runtimes are those that are tried", () => {
  const line = block("sh", "deno run");
  const flags = DENO.filter((arg) => arg.startsWith("--allow"));
  for (const flag of flags) expect(line).toContain(flag);
  expect(line).toContain("bun server.ts");
  expect(block("sh", "node server.ts").trim()).toBe("node server.ts");
});
