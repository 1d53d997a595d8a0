import type { OAuthResource } from "holdfast/auth";
import { type Env, Hono } from "hono";

/** The MCP server, and at the root of the origin the documents that lead clients to the issuer. */
export function createApp<E extends Env>(auth: OAuthResource, mcp: Hono<E>): Hono {
  return new Hono().route("/", auth.metadata).route("/", mcp);
}
