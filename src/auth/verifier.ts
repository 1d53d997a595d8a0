/** What judges an access token, and what comes of it. @module */

/** An access token that was found good, in words that all kinds of tokens share. */
export interface AccessToken {
  /** Whom the token speaks for: the principal, unless `subject` of {@link OAuthResourceOptions} says otherwise. */
  readonly subject?: string | undefined;
  /** The OAuth client that holds it. */
  readonly clientId?: string | undefined;
  readonly scopes: readonly string[];
  /** Seconds since 1970 from which it is refused; streams that it opened end then. */
  readonly expiresAt?: number | undefined;
  /** What else is known of it, such as a JWT's claims. Tools find it in `authInfo.extra`. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Why a token was not taken. `unavailable`: nobody can tell at present whether it is good, which is answered with 503. */
export interface TokenRefusal {
  readonly refused: "invalid" | "unavailable";
  /** Told to the client (`invalid`) or to the operator (`unavailable`). Never holds a part of the token. */
  readonly why: string;
}

/** What a verifier may look at besides the token. */
export interface VerifierContext {
  /** The resource that the token must have been issued for. */
  readonly resource: URL;
  readonly request: Request;
}

/**
 * Judges an access token. Nothing means that it is no good; a throw, that it could not be judged.
 * A verifier of one's own must see to the audience itself (MCP 2026-07-28, authorization, "Token Audience Binding").
 */
export type Verifier = (
  token: string,
  context: VerifierContext,
) => AccessToken | TokenRefusal | undefined | Promise<AccessToken | TokenRefusal | undefined>;

/** The verdict on a token that is no good; `why` goes to its client. */
export const invalid = (why: string): TokenRefusal => ({ refused: "invalid", why });
/** The verdict on a token that cannot be judged now; `why` goes to the operator alone. */
export const unavailable = (why: string): TokenRefusal => ({ refused: "unavailable", why });

/** True for a verdict that lets nobody in. */
export function isRefusal(verdict: AccessToken | TokenRefusal): verdict is TokenRefusal {
  return "refused" in verdict;
}

/** Scopes from the claims that issuers put them in: `scope` (RFC 9068, RFC 7662), `scp` (Entra, Okta). */
export function scopesIn(claims: Readonly<Record<string, unknown>>): string[] {
  const found = [claims["scope"], claims["scp"]].flatMap((value) =>
    typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : [],
  );
  return [...new Set(found.filter((scope) => typeof scope === "string" && scope !== ""))];
}

/** The client, from the claims that issuers put it in: `client_id` (RFC 9068), `azp` (OpenID Connect), `cid` (Okta), `appid` (Entra). */
export function clientIn(claims: Readonly<Record<string, unknown>>): string | undefined {
  return ["client_id", "azp", "cid", "appid"].map((name) => claims[name]).find(isText);
}

/** True for a string that is not empty. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** What of `aud` counts as this resource. */
export function audiencesOf(resource: URL, audience: string | readonly string[] | undefined): string[] {
  if (audience !== undefined) return typeof audience === "string" ? [audience] : [...audience];
  return eitherEnd(resource.href);
}

/** A URL with and without a slash at its end: issuers and their users write it either way. */
export function eitherEnd(url: string): string[] {
  const bare = url.replace(/\/$/, "");
  return [bare, `${bare}/`];
}
