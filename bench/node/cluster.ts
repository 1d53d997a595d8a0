/**
 * One process of a cluster, or with `BENCH_LOCAL` (`memory`, `file`) the one process that it is measured beside, with the same
 * server: `echo`, `emit`, and `count`, which changes the session's state.
 * @module
 */
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createClusterMcp } from "../../src/cluster/index.ts";
import { createLocalMcp, optionsFromEnv, serve } from "../../src/local/node.ts";
import type { CreateServer } from "../../src/session/server/factory.ts";
import { sdkServer } from "../lib/servers.ts";

const { PORT, DATABASE, HOLDFAST_PORT, HOLDFAST_POSTGRES, BENCH_LOCAL, BENCH_EVICT_MS } = process.env;
const bare = sdkServer(2);

const createServer: CreateServer = ({ session }) => {
  const server = bare();
  server.registerTool("count", { description: "Counts" }, () => {
    const count = (session?.state.get<number>("count") ?? 0) + 1;
    session?.state.set("count", count);
    return { content: [{ type: "text", text: `counted ${count}` }] };
  });
  return server;
};

// Programs of a cluster are started without flags.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as NonNullable<typeof globalThis.gc>;

const port = Number(HOLDFAST_PORT ?? PORT);
const shared = {
  createServer,
  logLevel: "warn" as const,
  ...(BENCH_EVICT_MS === undefined ? {} : { evictAfterMs: Number(BENCH_EVICT_MS) }),
};
const mcp =
  BENCH_LOCAL === undefined
    ? await createClusterMcp({
        ...shared,
        postgres: HOLDFAST_POSTGRES ?? "",
        address: `http://127.0.0.1:${port}`,
      })
    : createLocalMcp({
        ...shared,
        database: BENCH_LOCAL === "file" ? DATABASE : undefined,
        ...optionsFromEnv(process.env),
      });
const server = await serve({
  fetch(request, env) {
    if (!request.url.endsWith("/__bench/gc")) return mcp.router.fetch(request, env);
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    return Response.json({ inMemory: mcp.host.inMemory });
  },
  port,
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}`);
