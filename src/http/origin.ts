/**
 * Which web pages may call, and the CORS headers that let them see the answers. A request without an
 * Origin does not come from a web page's script and passes.
 * @module
 */
import type { Settings } from "../options.ts";

const ALLOW_HEADERS = [
  "Content-Type",
  "Accept",
  "Authorization",
  "Cache-Control",
  "Last-Event-ID",
  "Mcp-Session-Id",
  "MCP-Protocol-Version",
  "Mcp-Method",
  "Mcp-Name",
  // RFC 9449; W3C Trace Context and Baggage, which instrumented pages add on their own.
  "DPoP",
  "traceparent",
  "tracestate",
  "baggage",
];
const EXPOSE_HEADERS = "Mcp-Session-Id, WWW-Authenticate, Retry-After";

/**
 * True where the origin may call. By default these are the server's own origin over https, and
 * localhost where the server is reached as localhost. Over plain http a page that rebinds its name to
 * this server's address is same-origin too, so there only a listed origin counts.
 */
export function isOriginAllowed(origin: string, url: URL, settings: Settings): boolean {
  const { allowedOrigins, publicUrl } = settings;
  if (typeof allowedOrigins === "function" ? allowedOrigins(origin) : listed(allowedOrigins, origin))
    return true;
  if (publicUrl !== undefined && new URL(publicUrl).origin === origin) return true;
  if (url.protocol === "https:" && origin === url.origin) return true;
  return isLoopback(url.hostname) && URL.canParse(origin) && isLoopback(new URL(origin).hostname);
}

function listed(origins: readonly string[], origin: string): boolean {
  return origins.includes(origin) || origins.includes("*");
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}

/** Headers for every answer to an allowed origin, errors too: without them a page cannot see a 404. */
export function corsHeaders(origin: string): Record<string, string> {
  return {
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Expose-Headers": EXPOSE_HEADERS,
    Vary: "Origin",
  };
}

/**
 * Headers for a preflight. `Mcp-Param-*` names are the server's tools' own, and CORS knows no
 * prefixes, so names that were asked for and start with `Mcp-` are allowed one by one.
 */
export function preflightHeaders(methods: string, requested: string | null): Record<string, string> {
  const own = (requested ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => /^mcp-[a-z0-9-]{1,64}$/i.test(name));
  const names = new Map([...ALLOW_HEADERS, ...own].map((name) => [name.toLowerCase(), name]));
  return {
    "Access-Control-Allow-Methods": `${methods}, OPTIONS`,
    "Access-Control-Allow-Headers": [...names.values()].join(", "),
    "Access-Control-Max-Age": "86400",
    Allow: `${methods}, OPTIONS`,
  };
}
