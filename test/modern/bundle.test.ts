/** Who does not ask for the stateless era does not carry it. */
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { WORKER_TEXT } from "../support/worker-bundle.ts";

const root = new URL("../..", import.meta.url).pathname;

/** The files that end up in a Worker with these lines as its entry. */
async function bundled(entry: string): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents: entry, resolveDir: root, loader: "ts" },
    ...WORKER_TEXT,
    metafile: true,
  });
  return Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => path),
  );
}

const isSdk = (path: string): boolean =>
  path.includes("@modelcontextprotocol") || path.includes("node_modules/zod");
const isModern = (path: string): boolean => path.startsWith("src/modern/");

const SESSIONS = `
  import { createMcpWorker } from "./worker/cloudflare.ts";
  const mcp = createMcpWorker({
    createServer: () => ({ connect: (transport) => transport.start() }),
    namespace: (env) => env.MCP_SESSION,
    hub: (env) => env.MCP_HUB,
  });
  export const { McpSession, McpHub } = mcp;
  export default mcp.router;`;

describe("a Worker", () => {
  test("with sessions only has no SDK in it, nor anything of the stateless era", async () => {
    const files = await bundled(SESSIONS);
    expect(files).toContain("worker/session-object.ts");
    expect(files.filter((path) => isSdk(path) || isModern(path))).toEqual([]);
  });

  test("with `holdfast/modern` has both", async () => {
    const files = await bundled(`
      import { modernHandler } from "./src/modern/index.ts";
      export const modern = modernHandler({ createServer: () => { throw new Error(); } });
      ${SESSIONS}`);
    expect(files.some(isSdk)).toBe(true);
    expect(files.some(isModern)).toBe(true);
  });
});

test("the part that runs anywhere has no SDK in it", async () => {
  const files = await bundled(`export * from "./src/index.ts";`);
  expect(files).toContain("src/router.ts");
  expect(files.filter((path) => isSdk(path) || isModern(path))).toEqual([]);
});
