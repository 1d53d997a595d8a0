/** The floor on Node: Hono, a body parsed once, JSON back; no session, no transport. @module */
import process from "node:process";
import { serve } from "@hono/node-server";
import { Hono } from "hono";

interface Call {
  id?: number;
  params: { arguments?: { text?: string } };
}

const app = new Hono();
app.post("/mcp", async (c) => {
  const { id, params } = await c.req.json<Call>();
  if (id === undefined) return c.body(null, 202);
  if (c.req.header("mcp-session-id") === undefined) c.header("Mcp-Session-Id", crypto.randomUUID());
  const content = [{ type: "text", text: params.arguments?.text }];
  return c.json({ jsonrpc: "2.0", id, result: { content } });
});
serve({ fetch: app.fetch, port: Number(process.env["PORT"]), hostname: "127.0.0.1" }, ({ port }) =>
  console.log(`Listening on http://127.0.0.1:${port}`),
);
