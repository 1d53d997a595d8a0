import { type Env, Hono } from "hono";

/** The app, with the MCP server as one more route: at `/api/mcp`. */
export function createApp<E extends Env>(mcp: Hono<E>): Hono {
  const app = new Hono();
  app.get("/", (c) => c.text("The app"));
  app.route("/api", mcp);
  return app;
}

/** Whose key this is; a real app asks its database, by a hash. */
export function authorize(request: Request): { principal: string } | undefined {
  const key = process.env["API_KEY"] ?? "";
  const isKey = key !== "" && request.headers.get("Authorization") === `Bearer ${key}`;
  return isKey ? { principal: "owner" } : undefined;
}
