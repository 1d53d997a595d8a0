import { createClusterMcp } from "holdfast/cluster";
import { serve } from "holdfast/node";
import { createServer } from "./server.ts";

const { DATABASE_URL, ADDRESS, HOST = "127.0.0.1", PORT = "8787" } = process.env;
if (DATABASE_URL === undefined) throw new Error("DATABASE_URL is not set: all processes share one Postgres");

const mcp = await createClusterMcp({
  name: "holdfast-cluster",
  createServer,
  postgres: DATABASE_URL,
  // Where the other processes reach this one: in a cluster of machines its own address there, never the balancer's.
  address: ADDRESS ?? `http://127.0.0.1:${PORT}`,
  // Without it everybody is one and the same caller: before anybody else can reach this, see
  // https://github.com/OWNER/holdfast/blob/main/docs/guides/sign-in.md.
  // authorize,
});
const server = await serve({
  fetch: mcp.router.fetch,
  hostname: HOST,
  port: Number(PORT),
  onClose: mcp.close,
});

process.once("SIGTERM", server.close);
process.once("SIGINT", server.close);
console.log(`MCP at ${server.url}/mcp`);
