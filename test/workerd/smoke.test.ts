import { env, exports } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";

test("x", async () => {
  const r = await exports.default.fetch("https://holdfast.test/health");
  expect(r.status).toBe(200);
  const o = await exports.default.fetch("https://holdfast.test/mcp", { method: "POST", headers: { accept: "application/json, text/event-stream", "content-type": "application/json" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "a", version: "1" } } }) });
  expect(o.status).toBe(200);
  const id = o.headers.get("mcp-session-id") ?? "";
  const stub = env.MCP_SESSION.get(env.MCP_SESSION.idFromString(id));
  await evictDurableObject(stub);
  console.log(await (await exports.default.fetch(`https://holdfast.test/__test/inspect?session=${id}`)).json());
});
