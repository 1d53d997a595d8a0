/**
 * The documents by which a client finds out where to sign in, at the root of the origin: `/.well-known/…`
 * is no path below a mount.
 * @module
 */
import { type Context, Hono } from "hono";
import { pathOf, RESOURCE_METADATA_PATH } from "../challenge.ts";
import type { Document } from "./documents.ts";
import type { IssuerMetadata } from "./issuer.ts";

/** Protected resource metadata (RFC 9728 section 2). */
export interface ResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported?: readonly string[] | undefined;
  readonly bearer_methods_supported: readonly string[];
  readonly resource_name?: string | undefined;
  readonly resource_documentation?: string | undefined;
}

const SERVER_METADATA_PATH = "/.well-known/oauth-authorization-server";
const METHODS = "GET, HEAD, OPTIONS";
/** Web pages are clients too, from wherever they come; there is nothing secret here, and nothing to do. */
const HEADERS = { "Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300" };

/** Where the authorization server's own metadata comes from. */
export interface MetadataSource {
  /** Undefined where there is no place to sign in: nothing is served then. */
  readonly server: Document<IssuerMetadata> | undefined;
  /** Hears why the issuer's document cannot be had. */
  readonly onError: (error: unknown) => void;
}

/**
 * Serves the resource's metadata under its path and without (claude.ai asks with the path first), and, for
 * clients that look for the authorization server at the resource (2025-03-26), its metadata as the issuer has it.
 */
export function metadataApp(
  resource: URL,
  document: ResourceMetadata,
  { server, onError }: MetadataSource,
): Hono {
  const app = new Hono();
  const path = pathOf(resource);

  const serve = (at: string, answer: (c: Context) => Response | Promise<Response>): void => {
    const handle = (c: Context): Response | Promise<Response> => {
      const { method } = c.req.raw;
      if (method === "OPTIONS") return c.body(null, 204, preflight(c));
      if (method !== "GET" && method !== "HEAD") {
        return c.json({ error: "method_not_allowed" }, 405, { ...HEADERS, Allow: METHODS });
      }
      return answer(c);
    };
    for (const suffix of new Set([at, `${at}${path}`])) app.all(suffix, handle).all(`${suffix}/`, handle);
  };

  // Without a place to sign in there is nothing to find, and a client that looks for one must not think otherwise.
  if (server === undefined) return app;
  serve(RESOURCE_METADATA_PATH, (c) => c.json(document, 200, HEADERS));
  serve(SERVER_METADATA_PATH, async (c) => {
    try {
      return c.json(await server.current(), 200, HEADERS);
    } catch (error) {
      onError(error);
      return c.json({ error: "temporarily_unavailable" }, 503, {
        "Access-Control-Allow-Origin": "*",
        "Retry-After": "1",
      });
    }
  });
  return app;
}

function preflight(c: Context): Record<string, string> {
  const requested = c.req.header("access-control-request-headers");
  return {
    ...HEADERS,
    Allow: METHODS,
    "Access-Control-Allow-Methods": METHODS,
    ...(requested === undefined
      ? {}
      : { "Access-Control-Allow-Headers": requested, Vary: "Access-Control-Request-Headers" }),
  };
}
