/**
 * The `WWW-Authenticate` header, for whoever turns a request away for its credentials: the door
 * (`holdfast/auth`) and a session whose server asks for further scopes. One formatter, so that a client
 * reads the same challenge wherever it was refused.
 * @module
 */
import { isObject } from "./jsonrpc/messages.ts";

/** What a client is told of the credentials that it needs (RFC 6750 section 3, RFC 9728 section 5.1). */
export interface Challenge {
  /** Absent where the request carried no credentials at all (RFC 6750 section 3.1). */
  readonly error?: "invalid_request" | "invalid_token" | "insufficient_scope" | undefined;
  readonly description?: string | undefined;
  /** All scopes that the operation needs, not only the missing ones (MCP 2026-07-28, authorization). */
  readonly scopes?: readonly string[] | undefined;
  /** Where the protected resource metadata is (RFC 9728). */
  readonly metadataUrl?: string | undefined;
}

/** The header's value. The order of parameters is the official SDK's. */
export function formatChallenge(challenge: Challenge): string {
  const { error, description, scopes = [], metadataUrl } = challenge;
  const parameters = [
    ["error", error],
    ["error_description", description],
    ["scope", scopes.length > 0 ? scopes.join(" ") : undefined],
    ["resource_metadata", metadataUrl],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${quoted(value)}`]));
  return parameters.length === 0 ? "Bearer" : `Bearer ${parameters.join(", ")}`;
}

/** A quoted-string (RFC 9110 section 5.6.4); what a header may not hold becomes a space. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7E]/g, " ").replaceAll(/[\\"]/g, "\\$&")}"`;
}

/** Where the metadata of a resource is: `/.well-known/oauth-protected-resource`, then the resource's path (RFC 9728 section 3.1). */
export function resourceMetadataUrl(resource: URL): string {
  const url = new URL(resource);
  url.pathname = `${RESOURCE_METADATA_PATH}${pathOf(resource)}`;
  url.hash = "";
  return url.href;
}

/** Where a resource's metadata is, with the resource's path behind it (RFC 9728 section 3). */
export const RESOURCE_METADATA_PATH = "/.well-known/oauth-protected-resource";

/** The path of a URL without a slash at its end; empty for a root. */
export function pathOf(url: URL): string {
  return url.pathname.replace(/\/+$/, "");
}

/**
 * Where the metadata is of the resource that took a caller's token, as the SDK has it: what the door has noted in
 * `authInfo`, else the well-known place of the token's resource.
 */
export function metadataUrlOf(authInfo: unknown): string | undefined {
  if (!isObject(authInfo)) return undefined;
  const { resourceMetadataUrl: noted, resource } = authInfo;
  if (typeof noted === "string") return noted;
  const isHttp = resource instanceof URL && /^https?:$/.test(resource.protocol);
  return isHttp ? resourceMetadataUrl(resource) : undefined;
}
