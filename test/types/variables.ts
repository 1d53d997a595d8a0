/** Compiled, never run: what middleware has set has its type in the hooks of the router. */
import { Hono } from "hono";
import { createMcpRouter, type SessionHost } from "../../src/index.ts";
import { createLocalMcp } from "../../src/local/index.ts";
import { createV1Server } from "../support/v1-server.ts";

interface Variables {
  user: { id: string };
}

declare const host: SessionHost;
const router = createMcpRouter<{ Variables: Variables }>({
  host,
  authorize: (_request, c) => ({ principal: c.get("user").id }),
  topic: (_request, c) => c.get("user").id,
});
const mcp = createLocalMcp<unknown, { Variables: Variables }>({
  createServer: createV1Server,
  authorize(_request, c) {
    const { user } = c.var;
    // @ts-expect-error nobody has set it
    c.get("nothing");
    return { principal: user.id };
  },
});

export const app = new Hono<{ Variables: Variables }>().route("/a", router).route("/b", mcp.router);
