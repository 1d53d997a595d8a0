/**
 * An app that was there before: its own middleware, its own routes, its own users. The MCP server is one
 * more route in it.
 * @module
 */
import { type Context, type Env, Hono, type MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { logger } from "hono/logger";
import { requestId } from "hono/request-id";
import type { Authorization } from "../../src/index.ts";

declare module "hono" {
  interface ContextVariableMap {
    user: string;
  }
}

/** Web pages that may call. Holdfast checks origins itself, so it is told too. */
export const ORIGINS = ["https://app.example"];

/** Tokens and their users; a real app asks its database, or its identity provider. */
const USERS = new Map([
  ["token-of-ada", "ada"],
  ["token-of-ben", "ben"],
]);

/** The router's `authorize`: the app's middleware has judged the request already. */
export function authorize(_request: Request, c: Context): Authorization {
  return { principal: c.get("user") };
}

/**
 * @param mcp the router, from `createLocalMcp` or `createMcpWorker`
 * @param more middleware for some platforms: Node and Bun leave compression to the app, for one
 */
export function createApp<E extends Env>(mcp: Hono<E>, ...more: MiddlewareHandler[]): Hono {
  const app = new Hono();

  app.use(requestId(), logger(), etag(), ...more);
  app.use(
    "/api/*",
    cors({ origin: ORIGINS, exposeHeaders: ["Mcp-Session-Id", "X-Request-Id"] }),
    bearerAuth({
      verifyToken(token, c) {
        const user = USERS.get(token);
        if (user !== undefined) c.set("user", user);
        return user !== undefined;
      },
    }),
  );

  app.get("/", (c) => c.text("An app of one's own"));
  app.get("/api/me", (c) => c.json({ user: c.get("user"), requestId: c.get("requestId") }));
  app.route("/api/v1/ai", mcp);
  app.get("/api/v1/ai/models", (c) => c.json(["beside", "the", "router"]));
  return app;
}
