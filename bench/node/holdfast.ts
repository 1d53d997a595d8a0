/** Holdfast on Node, as it is measured. @module */
import process from "node:process";
import { createLocalMcp, optionsFromEnv, serve } from "../../src/local/node.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { sdkServer, serverNamed } from "../lib/servers.ts";

const { PORT, DATABASE, BENCH_SERVER, BENCH_DATABASE, BENCH_LISTENERS = 0 } = process.env;
const createServer = serverNamed(BENCH_SERVER);
const maxListeners = Number(BENCH_LISTENERS);

const mcp = createLocalMcp({
  createServer,
  ...(maxListeners > 0 && { modern: modernHandler({ createServer: sdkServer(2), maxListeners }) }),
  database: BENCH_DATABASE === "file" ? DATABASE : undefined,
  logLevel: "warn",
  ...optionsFromEnv(process.env),
});
const server = await serve({
  fetch(request, env) {
    if (!request.url.endsWith("/__bench/publish")) return mcp.router.fetch(request, env);
    mcp.notify.toolsListChanged();
    return new Response(null, { status: 204 });
  },
  port: Number(PORT),
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}`);
