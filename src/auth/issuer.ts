/** An authorization server's own description of itself: RFC 8414, or OpenID Connect Discovery. @module */
import { pathOf } from "../challenge.ts";
import { createDocument, type Document, fetchJson, IssuerUnavailable } from "./documents.ts";
import { eitherEnd } from "./verifier.ts";

/** An authorization server's metadata (RFC 8414 section 2) as it came: its members are checked where they are used. */
export type IssuerMetadata = Readonly<Record<string, unknown>>;

/**
 * Checks an URL that credentials depend on.
 * @throws {TypeError} where it is neither https nor a loopback address
 */
export function secureUrl(name: string, url: string | URL): URL {
  if (!URL.canParse(url)) throw new TypeError(`${name} must be an absolute URL, not ${url}`);
  const parsed = new URL(url);
  const { protocol, hostname } = parsed;
  const isLoopback =
    hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback)) {
    throw new TypeError(`${name} must be an https URL (http on localhost only), not ${url}`);
  }
  if (parsed.hash !== "") throw new TypeError(`${name} must have no fragment`);
  return parsed;
}

/** The issuer's metadata, from the first place that has it. It must name the issuer that was asked (RFC 8414 section 3.3). */
export function issuerMetadata(issuer: string, fetcher: typeof fetch): Document<IssuerMetadata> {
  const places = metadataPlaces(secureUrl("issuer", issuer));
  return createDocument(async () => {
    let last: unknown;
    for (const place of places) {
      try {
        const metadata = await fetchJson(place, fetcher);
        if (eitherEnd(issuer).includes(String(metadata["issuer"]))) return metadata;
        last = new IssuerUnavailable(`${place} describes another issuer`);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  });
}

/** In the order of MCP 2026-07-28, "Authorization Server Metadata Discovery". */
function metadataPlaces(issuer: URL): string[] {
  const path = pathOf(issuer);
  const well = (name: string): string => `${issuer.origin}/.well-known/${name}${path}`;
  const places = [
    well("oauth-authorization-server"),
    well("openid-configuration"),
    `${issuer.origin}${path}/.well-known/openid-configuration`,
  ];
  return [...new Set(places)];
}
