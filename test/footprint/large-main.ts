/**
 * A server on Node whose tool `large` answers with 15 MB, after `ms`, and which tells at `/memory` what it has after
 * a full collection, sockets too. Run with `--expose-gc`.
 * @module
 */
import process from "node:process";
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { createLocalMcp, optionsFromEnv, serve } from "../../src/local/node.ts";
import { pause, text } from "../../worker/example/reply.ts";

const { gc } = globalThis as unknown as { gc: () => void };
/** One for all answers: what is measured is what each answer adds to it. */
const LARGE = "x".repeat(15_000_000);

const { env } = process;
const mcp = createLocalMcp({
  createServer() {
    const server = new McpServer({ name: "large", version: "0" });
    server.registerTool("large", { inputSchema: z.object({ ms: z.number() }) }, async ({ ms }) => {
      await pause(ms);
      return text(LARGE);
    });
    return server;
  },
  database: env["DATABASE"],
  ...optionsFromEnv(env),
});

const memory = (): Response => {
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const sockets = process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  return Response.json({ rss, used: heapUsed + external, sockets });
};

const server = await serve({
  fetch: (request, bindings) =>
    new URL(request.url).pathname === "/memory" ? memory() : mcp.router.fetch(request, bindings),
  port: Number(env["PORT"]),
  writeTimeoutMs: Number(env["WRITE_TIMEOUT_MS"]),
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}/mcp`);
