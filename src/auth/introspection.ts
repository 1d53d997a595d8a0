/** Opaque access tokens: the issuer itself is asked (RFC 7662). @module */
import { checkGiven, either, FUNCTION, type Kind, needed, STRING, STRINGS } from "../setup.ts";
import { fetchJson, globalFetch, IssuerUnavailable } from "./documents.ts";
import { secureUrl } from "./issuer.ts";
import { audiencesOf, clientIn, invalid, isText, scopesIn, unavailable, type Verifier } from "./verifier.ts";

/** How to ask the issuer about a token (RFC 7662 section 2.1). */
export interface IntrospectionOptions {
  /** The introspection endpoint. */
  endpoint: string;
  /** This server's own credentials at the issuer, sent as HTTP Basic. */
  clientId: string;
  /** The other half of them. */
  clientSecret: string;
  /** What the answer's `aud` must hold one of; by default the resource's URL. */
  audience?: string | readonly string[];
  /** The global one by default. */
  fetch?: typeof fetch;
}

const KINDS: Required<Record<keyof IntrospectionOptions, Kind>> = {
  endpoint: needed(STRING),
  clientId: needed(STRING),
  clientSecret: needed(STRING),
  audience: either(STRING, STRINGS),
  fetch: FUNCTION,
};

/**
 * Verifies tokens by asking their issuer, once for each request: a token that was revoked is refused from
 * then on. An answer that names no audience is no good, because the token may be for another server.
 * @throws {TypeError} naming the option that is wrong
 */
export function introspection(options: IntrospectionOptions): Verifier {
  checkGiven("introspection", options, KINDS);
  const { clientId, clientSecret, fetch: fetcher = globalFetch } = options;
  const endpoint = secureUrl("endpoint", options.endpoint).href;
  if (!isText(clientId) || !isText(clientSecret)) {
    throw new TypeError("introspection needs clientId and clientSecret");
  }
  const basic = btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`);

  return async (token, { resource }) => {
    let answer: Readonly<Record<string, unknown>>;
    try {
      answer = await fetchJson(endpoint, fetcher, {
        method: "POST",
        headers: { Authorization: `Basic ${basic}` },
        body: new URLSearchParams({ token, token_type_hint: "access_token" }),
      });
    } catch (error) {
      if (error instanceof IssuerUnavailable) return unavailable(error.message);
      throw error;
    }
    const { active, aud, exp, nbf, sub } = answer;
    const now = Date.now() / 1000;
    if (active !== true) return invalid("the token is not active");
    const accepted = audiencesOf(resource, options.audience);
    if (![aud].flat().some((one) => isText(one) && accepted.includes(one))) {
      return invalid("the token was issued for another resource");
    }
    if (exp !== undefined && !(typeof exp === "number" && exp > now)) return invalid("the token has expired");
    if (nbf !== undefined && !(typeof nbf === "number" && nbf <= now + 5)) {
      return invalid("the token is not valid yet");
    }
    if (answer["cnf"] !== undefined)
      return invalid("the token is bound to a key; bearer tokens are taken here");
    return {
      subject: isText(sub) ? sub : undefined,
      clientId: clientIn(answer),
      scopes: scopesIn(answer),
      expiresAt: exp,
      claims: answer,
    };
  };
}
