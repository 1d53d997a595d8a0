/** The test server as one process of a cluster, on Node, Deno or Bun, whichever runs this file. @module */
import process from "node:process";
import { main } from "../../examples/cluster/main.ts";
import { serve } from "./serve-here.ts";
import { testModern } from "./test-modern.ts";
import { testAdmin, testOptions } from "./test-options.ts";
import { testServers } from "./test-server.ts";

/** How far this process's clock is from the machine's. */
const skew = Number(process.env["TEST_CLOCK_SKEW_MS"] ?? 0);
if (skew !== 0) {
  const { now } = Date;
  Date.now = () => now() + skew;
}

await main(serve, {
  ...testOptions(process.env),
  createServer: testServers(process.env),
  ...testModern(process.env),
  ...testAdmin(process.env),
  ...(process.env["TEST_LEASE_MS"] === undefined ? {} : { leaseMs: Number(process.env["TEST_LEASE_MS"]) }),
  ...(process.env["TEST_EVICT_MS"] === undefined
    ? {}
    : { evictAfterMs: Number(process.env["TEST_EVICT_MS"]) }),
});
