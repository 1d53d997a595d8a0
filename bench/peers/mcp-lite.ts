/** `mcp-lite` with its in-memory sessions, as its README sets it up. @module */
import process from "node:process";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { InMemorySessionAdapter, StreamableHttpTransport } from "mcp-lite";
import { liteServer } from "../lib/lite-server.ts";

const transport = new StreamableHttpTransport({
  sessionAdapter: new InMemorySessionAdapter({ maxEventBufferSize: 1024 }),
});
const handle = transport.bind(liteServer());

const app = new Hono();
app.all("/mcp", (c) => handle(c.req.raw));
serve({ fetch: app.fetch, port: Number(process.env["PORT"]), hostname: "127.0.0.1" }, ({ port }) =>
  console.log(`Listening on http://127.0.0.1:${port}`),
);
