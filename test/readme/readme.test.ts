/**
 * What the README tells a newcomer to do, done: the commands as they stand there, and the snippet.
 * @module
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, describe, expect, it } from "vitest";
import { freePort, startWorkerd } from "../support/workerd.ts";

const root = new URL("../../", import.meta.url).pathname;
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The fenced block in this language that holds `mark`. */
function block(language: string, mark: string): string {
  const blocks = [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))];
  const found = blocks.map(([, text = ""]) => text).find((text) => text.includes(mark));
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

    const line = block("sh", "npx holdfast")
      .replace("npx holdfast", `${process.execPath} src/client/bin.ts`)
      .replace("127.0.0.1:8787", `127.0.0.1:${port}`);
    expect(await sh(`cd ${root}; ${line}`)).toBe("1\n");

    await stop();
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    stop = await start(port);
    expect(await sh(`SESSION=${session}\n${count}`)).toContain('"text":"2"');
  }, 120_000);
});

describe("the shortest server", () => {
  it("is a whole deployable Worker", async () => {
    const entry = join(mkdtempSync(join(root, ".readme-test-")), "index.ts");
    const source = block("ts", "createMcpWorker").replace("holdfast/cloudflare", "../worker/cloudflare.ts");
    writeFileSync(entry, `interface Env { MCP_SESSION: any }\n${source}`);
    const server = await startWorkerd({ entry });
    try {
      const client = new Client({ name: "readme", version: "1" });
      await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`)));
      const { content } = await client.callTool({ name: "hello", arguments: { name: "you" } });
      expect(content).toEqual([{ type: "text", text: expect.stringMatching(/^Hello you, this is \w{64}$/) }]);
      await client.close();
    } finally {
      await server.close();
      rmSync(join(entry, ".."), { recursive: true, force: true });
    }
  });
});
