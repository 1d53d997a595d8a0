import { Hono } from "hono";
import { requestId } from "hono/request-id"; import { compress } from "hono/compress"; import { cors } from "hono/cors"; import { etag } from "hono/etag"; import { logger } from "hono/logger"; import { timing } from "hono/timing"; import { secureHeaders } from "hono/secure-headers"; import { timeout } from "hono/timeout"; import { prettyJSON } from "hono/pretty-json"; import { poweredBy } from "hono/powered-by"; import { bodyLimit } from "hono/body-limit"; import { contextStorage } from "hono/context-storage";
import { createLocalMcp } from "../../src/local/index.ts";
import { createExampleServer } from "../../worker/example/server.ts";
const stacks: Record<string, any[]> = {
  none: [], requestId: [requestId()], cors: [cors()], compress: [compress()], etag: [etag()], "cors+etag": [cors(), etag()], timing: [timing()], secure: [secureHeaders()], timeout: [timeout(500)], pretty: [prettyJSON()], powered: [poweredBy()], bodyLimit: [bodyLimit({maxSize: 1000})], ctx:[contextStorage()], logger:[logger(()=>{})],
  cloner: [async (c:any,next:any)=>{ await next(); await c.res.clone().text(); }],
  clonerCors: [cors(), async (c:any,next:any)=>{ await next(); await c.res.clone().text(); }],
  all: [requestId(), logger(()=>{}), compress(), cors(), secureHeaders(), timing(), poweredBy()],
};
for (const [name, stack] of Object.entries(stacks)) {
  const mcp = createLocalMcp({ createServer: createExampleServer, onEvent() {} });
  const app = new Hono();
  for (const m of stack) app.use(m);
  app.route("/a/b", mcp.router);
  const H = { "content-type": "application/json", accept: "application/json, text/event-stream", "accept-encoding": "gzip" };
  const init = await app.request("/a/b/mcp", { method: "POST", headers: H, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "0" } } }) });
  const id = init.headers.get("mcp-session-id")!;
  const get = await Promise.race([app.request("/a/b/mcp", { headers: { accept: "text/event-stream", "mcp-session-id": id, "accept-encoding": "gzip" } }), new Promise<undefined>((r) => setTimeout(() => r(undefined), 700))]);
  let first = "HANG";
  if (get) { const r = get.body!.getReader(); const x: any = await Promise.race([r.read(), new Promise((q) => setTimeout(() => q({ value: "NOBYTES" }), 700))]); first = typeof x.value === "string" ? x.value : new TextDecoder().decode(x.value).slice(0, 20).replaceAll("\n", "|"); r.cancel(); }
  console.log(name.padEnd(12), init.status, init.headers.get("content-encoding"), init.headers.get("x-request-id")?.slice(0,6), "|", get?.status, get?.headers.get("content-encoding"), get?.headers.get("x-request-id")?.slice(0,6), first);
}
process.exit(0);
