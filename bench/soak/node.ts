/** The soak's server on Node; `/__bench/memory` says what is in use once all garbage is gone. @module */
import process from "node:process";
import { createLocalMcp, optionsFromEnv, serve } from "../../src/local/node.ts";
import { createSoakServer } from "./server.ts";

const { PORT, DATABASE } = process.env;
// Sessions stay in memory for the default minute: as many streams as a machine holds may take longer than a few seconds to
// come back from a cut, and of those evicted meanwhile memory would show how many have yet to be called again.
const mcp = createLocalMcp({
  createServer: createSoakServer,
  database: DATABASE,
  logLevel: "warn",
  ...optionsFromEnv(process.env),
});
const server = await serve({
  async fetch(request, env) {
    if (!request.url.endsWith("/__bench/memory")) return mcp.router.fetch(request, env);
    // What a first collection hands to finalisers goes with the second.
    for (let n = 0; n < 3; n++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return Response.json({ heap: heapUsed + external, resident: rss });
  },
  port: Number(PORT),
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}`);
