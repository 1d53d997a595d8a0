/** The test server as a process on Node, Deno or Bun, whichever runs this file. @module */
import process from "node:process";
import { main } from "../../examples/server/main.ts";
import { testServers } from "./test-server.ts";
import { testModern } from "./test-modern.ts";
import { testOptions } from "./test-options.ts";

const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
const { serve } = await import(`../../src/local/${runtime}.ts`);
await main(serve, {
  ...testOptions(process.env),
  ...testModern(process.env),
  createServer: testServers(process.env),
});
