/**
 * A server on Node whose tool `large` answers with 15 MB, on a stream where it is asked to, and which tells at `/memory`
 * what it has after a full collection, sockets and sessions too, and how many full collections there have been. Run with
 * `--expose-gc`.
 * @module
 */
import { constants, PerformanceObserver } from "node:perf_hooks";
import process from "node:process";
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { createLocalMcp, optionsFromEnv, serve } from "../../src/local/node.ts";
import { text } from "../../worker/example/reply.ts";

const { gc } = globalThis as unknown as { gc: () => void };
/** One for all answers: what is measured is what each answer adds to it. */
const LARGE = "x".repeat(15_000_000);

const { env } = process;
const mcp = createLocalMcp({
  createServer() {
    const server = new McpServer({ name: "large", version: "0" }, { capabilities: { logging: {} } });
    server.registerTool(
      "large",
      { inputSchema: z.object({ streamed: z.boolean() }) },
      async ({ streamed }, ctx) => {
        // However busy the process is: a stream is begun by what comes before the answer.
        const params = { level: "info" as const, data: "large" };
        if (streamed) await ctx.mcpReq.notify({ method: "notifications/message", params });
        return text(LARGE);
      },
    );
    return server;
  },
  database: env["DATABASE"],
  ...optionsFromEnv(env),
});

let collections = 0;
const counting = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries() as { detail?: { kind?: number } }[])
    if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections += 1;
});
counting.observe({ entryTypes: ["gc"] });

const memory = (): Response => {
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const sockets = process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  return Response.json({ rss, used: heapUsed + external, sockets, inMemory: mcp.host.inMemory, collections });
};

const server = await serve({
  fetch: (request, bindings) =>
    new URL(request.url).pathname === "/memory" ? memory() : mcp.router.fetch(request, bindings),
  port: Number(env["PORT"]),
  writeTimeoutMs: Number(env["WRITE_TIMEOUT_MS"] ?? 120_000),
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}/mcp`);
