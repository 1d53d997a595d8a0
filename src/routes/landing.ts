/** Browsers that are pointed at an MCP server's URL, and what they are shown in place of an error. @module */
import type { Context, Env } from "hono";
import { SESSION_ID, SSE_TYPE } from "../http/headers.ts";
import { acceptsByName } from "../http/negotiate.ts";
import { type Site, versionsOf } from "./context.ts";

/** What the landing page is told. */
export interface LandingFacts {
  readonly name: string;
  readonly version: string;
  /** The URL that MCP clients connect to, as it is seen from outside: with the host that the browser asked for. */
  readonly url: string;
  /** Newest first. */
  readonly protocolVersions: readonly string[];
  /** Where the console is; undefined where there is none. */
  readonly consoleUrl: string | undefined;
}

/** Answers a browser: `landingPage()` of `holdfast/landing`. */
export type Landing = (facts: LandingFacts) => Response;

/**
 * True for a browser that opens a page: it names HTML, and no Origin. MCP's GETs name `text/event-stream` (an EventSource
 * that alone), or a session; what a page's script asks for is judged by its Origin, as everything is.
 */
export function isBrowser({ method, headers }: Request): boolean {
  const accept = headers.get("accept");
  return (
    (method === "GET" || method === "HEAD") &&
    acceptsByName(accept, "text/html") &&
    !acceptsByName(accept, SSE_TYPE) &&
    !headers.has(SESSION_ID) &&
    !headers.has("origin")
  );
}

/** @param path the path below the mount under which it was asked for: `/mcp`, or `/` */
export function landingFacts<E extends Env>(site: Site<E>, c: Context<E>, path: string): LandingFacts {
  const { publicUrl } = site.settings;
  const asked = new URL(c.req.url);
  // A proxy that ends TLS says so; anybody else who does is shown what they said.
  if (c.req.header("x-forwarded-proto") === "https") asked.protocol = "https:";
  const below = path === "/" ? /\/$/ : /\/mcp\/?$/;
  const mount = publicUrl ?? `${asked.origin}${asked.pathname.replace(below, "")}`;
  // It is shown in commands, to be copied: a path may hold what ends a quotation.
  const base = mount.replaceAll("'", "%27");
  return {
    name: site.name,
    version: site.version,
    url: `${base}/mcp`,
    protocolVersions: versionsOf(site).toReversed(),
    consoleUrl: site.settings.console && `${base}/test`,
  };
}
