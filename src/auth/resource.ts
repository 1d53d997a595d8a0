/**
 * An MCP server as an OAuth 2.1 resource server (MCP 2026-07-28, basic/authorization): it judges access
 * tokens, says what was wrong with them, and tells where to get better ones. It issues none.
 * @module
 */
import type { Hono } from "hono";
import { type Challenge, formatChallenge, resourceMetadataUrl } from "../challenge.ts";
import { guard } from "../guard.ts";
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Authorization } from "../routes/context.ts";
import { ANYTHING, checkGiven, FUNCTION, type Kind, needed, STRING, STRINGS } from "../setup.ts";
import { globalFetch } from "./documents.ts";
import { issuerMetadata, secureUrl } from "./issuer.ts";
import { jwt } from "./jwt.ts";
import { metadataApp, type ResourceMetadata } from "./metadata.ts";
import { type AccessToken, isRefusal, isText, type TokenRefusal, type Verifier } from "./verifier.ts";

/** What the server says of itself as an OAuth resource, and whose tokens it takes. */
export interface OAuthResourceOptions {
  /** The URL of the MCP endpoint as clients write it, such as `https://mcp.example.com/mcp`: the tokens' audience. */
  resource: string | URL;
  /**
   * The authorization server, by its issuer identifier. Clients are sent there to sign in, and its JWTs are
   * taken unless `verify` is given. Without it clients are told of no place to sign in: for API keys.
   */
  issuer?: string;
  /** Judges tokens; of several verifiers the first that takes a token decides. By default `jwt({ issuer })`. */
  verify?: Verifier | readonly Verifier[];
  /** Scopes that every request needs. What single tools need besides is said where they are registered. */
  requiredScopes?: readonly string[];
  /** All scopes there are, for the metadata; by default the required ones. */
  scopesSupported?: readonly string[];
  /** The principal of a token; by default its subject. Nothing means that the token is no good. */
  subject?: (token: AccessToken) => string | undefined;
  /** For people, in the metadata: the server's name. */
  name?: string;
  /** Likewise: the address of a page about it. */
  documentation?: string;
  /** Hears why a token could not be judged, which clients see as 503: above all that the issuer is out of reach. */
  onError?: (error: unknown) => void;
  /** For the issuer's documents; the global one by default. */
  fetch?: typeof fetch;
}

/** The SDK's `AuthInfo`, as tools get it with each call. */
export interface OAuthAuthInfo {
  readonly token: string;
  readonly clientId: string;
  readonly scopes: string[];
  readonly expiresAt?: number;
  readonly resource: URL;
  readonly resourceMetadataUrl?: string;
  /** The token's claims. */
  readonly extra: Record<string, unknown>;
}

const KINDS: Required<Record<keyof OAuthResourceOptions, Kind>> = {
  resource: needed(ANYTHING),
  issuer: STRING,
  verify: [
    "a function, or a list of functions",
    (value) => [value].flat().every((each) => typeof each === "function"),
  ],
  requiredScopes: STRINGS,
  scopesSupported: STRINGS,
  subject: FUNCTION,
  name: STRING,
  documentation: STRING,
  onError: FUNCTION,
  fetch: FUNCTION,
};

/** What `oauthResource` makes: the door, and the documents that lead clients to it. */
export interface OAuthResource {
  /** The router's `authorize`. */
  readonly authorize: (request: Request) => Promise<(Authorization & { authInfo: OAuthAuthInfo }) | Response>;
  /** `/.well-known/…`: mount it at the root of the origin, `app.route("/", auth.metadata)`. */
  readonly metadata: Hono;
  /** Where the resource's metadata is; undefined without an issuer. */
  readonly metadataUrl: string | undefined;
}

/** Larger than any token that fits a header of common servers: what is larger is not worth a look. */
const MOST_TOKEN_LENGTH = 16_384;
/** RFC 6750 section 2.1. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Makes the door of an MCP server: who may come in, and what those are told who may not.
 * @throws {TypeError | RangeError} naming the option that is wrong
 * @example
 * const auth = oauthResource({ resource: "https://mcp.example.com/mcp", issuer: "https://login.example.com" });
 * const mcp = createMcpWorker<Env>({ createServer, namespace, authorize: auth.authorize });
 * export default new Hono().route("/", auth.metadata).route("/", mcp.router);
 */
export function oauthResource(options: OAuthResourceOptions): OAuthResource {
  checkGiven("oauthResource", options, KINDS);
  const { issuer, requiredScopes = [], subject = (token) => token.subject, onError } = options;
  const resource = secureUrl("resource", options.resource);
  const scopesSupported = options.scopesSupported ?? requiredScopes;
  for (const scope of [...requiredScopes, ...scopesSupported]) checkScope(scope);
  const { fetch: fetcher = globalFetch } = options;
  const server = issuer === undefined ? undefined : issuerMetadata(issuer, fetcher);
  const metadataUrl = issuer === undefined ? undefined : resourceMetadataUrl(resource);
  const verifiers = verifiersOf(options);
  const tellOperator = (error: unknown): void =>
    void guard(
      () => onError?.(error),
      () => {},
    );

  const document: ResourceMetadata = {
    resource: resource.href,
    authorization_servers: issuer === undefined ? [] : [issuer],
    ...(scopesSupported.length > 0 && { scopes_supported: scopesSupported }),
    bearer_methods_supported: ["header"],
    resource_name: options.name,
    resource_documentation: options.documentation,
  };

  const challenge = (more: Challenge = {}): string =>
    formatChallenge({ scopes: requiredScopes, metadataUrl, ...more });
  const unauthorized = (why: string): Response =>
    failed(failures.invalidToken(why, challenge({ error: "invalid_token", description: why })));

  const judge = async (token: string, request: Request): Promise<AccessToken | TokenRefusal | undefined> => {
    let refused: TokenRefusal | undefined;
    for (const verify of verifiers) {
      let verdict: AccessToken | TokenRefusal | undefined;
      try {
        verdict = await verify(token, { resource, request });
      } catch (error) {
        tellOperator(error);
        verdict = { refused: "unavailable", why: "" };
      }
      if (verdict === undefined) continue;
      if (!isRefusal(verdict)) return verdict;
      if (verdict.refused === "unavailable" && verdict.why !== "") tellOperator(new Error(verdict.why));
      // Another verifier's "no" says nothing while this one cannot tell.
      if (refused?.refused !== "unavailable") refused = verdict;
    }
    return refused;
  };

  const authorize: OAuthResource["authorize"] = async (request) => {
    const header = request.headers.get("authorization");
    const inQuery = new URL(request.url).searchParams.has("access_token");
    // A token in the URL ends up in logs: it is no way to present one (authorization, "Token Requirements").
    if (header !== null && inQuery) {
      const description = "the access token must be in the Authorization header alone";
      return failed(
        failures.badCredentials(description, challenge({ error: "invalid_request", description })),
      );
    }
    // Without credentials of a kind that is known here there is nothing to find fault with (RFC 6750 section 3.1).
    if (header === null || !/^bearer\b/i.test(header)) {
      return failed(failures.invalidToken("an access token is required", challenge()));
    }
    const token = BEARER.exec(header)?.[1];
    if (token === undefined || token.length > MOST_TOKEN_LENGTH)
      return unauthorized("the token is malformed");

    const verdict = await judge(token, request);
    if (verdict === undefined) return unauthorized("the token is unknown");
    if (isRefusal(verdict)) {
      return verdict.refused === "unavailable"
        ? failed(failures.credentialsUnjudged())
        : unauthorized(verdict.why);
    }
    const { scopes } = verdict;
    if (!requiredScopes.every((scope) => scopes.includes(scope))) {
      const description = "Insufficient scope";
      return failed(failures.insufficientScope(challenge({ error: "insufficient_scope", description })));
    }
    const principal = subject(verdict);
    if (!isText(principal)) return unauthorized("the token names no subject");
    return {
      principal,
      authInfo: authInfoOf(token, verdict, { resource, resourceMetadataUrl: metadataUrl }),
    };
  };

  return {
    authorize,
    metadata: metadataApp(resource, document, { server, onError: tellOperator }),
    metadataUrl,
  };
}

function authInfoOf(
  token: string,
  { clientId, scopes, expiresAt, claims }: AccessToken,
  { resource, resourceMetadataUrl }: { resource: URL; resourceMetadataUrl: string | undefined },
): OAuthAuthInfo {
  return {
    token,
    clientId: clientId ?? "",
    scopes: [...scopes],
    ...(expiresAt !== undefined && { expiresAt }),
    resource: new URL(resource),
    ...(resourceMetadataUrl !== undefined && { resourceMetadataUrl }),
    extra: { ...claims },
  };
}

function verifiersOf({ issuer, verify, fetch: fetcher }: OAuthResourceOptions): readonly Verifier[] {
  if (verify !== undefined) {
    const verifiers = typeof verify === "function" ? [verify] : verify;
    if (verifiers.length === 0) throw new TypeError("verify must hold at least one verifier");
    return verifiers;
  }
  if (issuer === undefined) throw new TypeError("oauthResource needs issuer, or verify, or both");
  return [jwt({ issuer, ...(fetcher && { fetch: fetcher }) })];
}

/** RFC 6749 section 3.3, scope-token. */
function checkScope(scope: string): void {
  if (!/^[\x21\x23-\x5B\x5D-\x7E]+$/.test(scope)) throw new TypeError(`${scope} is no OAuth scope`);
}
