/**
 * Which web pages may call, under which names, and the CORS headers that let them see the answers. A request
 * without an Origin does not come from another page's script, and passes unless the browser says otherwise.
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
 * @throws what the user's function throws, and a TypeError where it returns a promise
 */
export function isOriginAllowed(origin: string, url: URL, settings: Settings): boolean {
  const { allowedOrigins, publicUrl } = settings;
  if (publicUrl !== undefined && new URL(publicUrl).origin === origin) return true;
  if (url.protocol === "https:" && origin === url.origin) return true;
  if (isLoopback(url.hostname) && URL.canParse(origin) && isLoopback(new URL(origin).hostname)) return true;
  if (typeof allowedOrigins !== "function") return listed(allowedOrigins, origin);
  const said: unknown = allowedOrigins(origin);
  if (typeof said === "boolean") return said;
  // A promise is truthy whatever it comes to; and one that rejects, with nobody to hear it, ends a process.
  if (said instanceof Promise) said.catch(() => {});
  throw new TypeError(`allowedOrigins must return true or false, not ${typeof said}`);
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

/** What proxies add as they pass a request on. */
const FORWARDED = [
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "forwarded",
  "via",
  "x-real-ip",
  "cf-connecting-ip",
];

/**
 * Judges the Host of requests. A page can rebind its own name to this server's address, and is same-origin with
 * it then: its GETs carry no Origin at all. What tells them is the name in Host, which only the page's owner uses.
 *
 * Where `allowedHosts` is given, that decides. Else only what can be told is refused: over https the
 * certificate has vouched for the name; an address, a name without a dot and a name outside the public DNS
 * cannot be rebound from afar; and behind a proxy the public name is the right one. What is left is a public
 * name on a direct connection over plain http. (A page that rebinds can claim a proxy for its GETs, which open
 * nothing but a stream of their own: its POSTs have an Origin.)
 */
export function createHostCheck(settings: Settings): (request: Request) => boolean {
  const { allowedHosts, publicUrl } = settings;
  const own = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;
  const isListed = (name: string): boolean =>
    allowedHosts?.some(
      (host) => host === "*" || host === name || (host.startsWith("*.") && name.endsWith(host.slice(1))),
    ) ?? false;
  const isKnown = ({ protocol, hostname }: URL): boolean => {
    if (isLoopback(hostname) || hostname === own || isListed(hostname)) return true;
    return allowedHosts === undefined && (protocol === "https:" || !isPublicName(hostname));
  };
  /** Scheme and Host that were known last: most requests name the same. */
  let last = "";
  return ({ url, headers }) => {
    const site = url.slice(0, url.indexOf("/", 8));
    if (site === last) return true;
    // Some runtimes pass on a Host that is no name at all.
    if (!URL.canParse(url)) return false;
    if (isKnown(new URL(url))) {
      last = site;
      return true;
    }
    return allowedHosts === undefined && FORWARDED.some((name) => headers.has(name));
  };
}

/** True for a name that whoever owns it in the public DNS can point anywhere. */
function isPublicName(hostname: string): boolean {
  if (!hostname.includes(".") || /^[\d.]+$/.test(hostname)) return false;
  return !/\.(local|internal|home\.arpa)$/.test(hostname);
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
