/** The official SDK's own handler of 2026-07-28 on Node, with its bus of one process. @module */
import process from "node:process";
import { serve } from "@hono/node-server";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { sdkServer } from "../lib/servers.ts";

const { PORT, BENCH_LISTENERS } = process.env;
const handler = createMcpHandler(sdkServer(2), {
  legacy: "reject",
  maxSubscriptions: Number(BENCH_LISTENERS),
});
serve(
  {
    fetch(request) {
      if (!request.url.endsWith("/__bench/publish")) return handler.fetch(request);
      handler.notify.toolsChanged();
      return new Response(null, { status: 204 });
    },
    port: Number(PORT),
    hostname: "127.0.0.1",
  },
  ({ port }) => console.log(`Listening on http://127.0.0.1:${port}`),
);
