/** Access tokens that are JWTs (RFC 9068, and the many that come close to it), checked by `jose`. @module */
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
} from "jose";
import { createDocument, type Document, fetchJson, globalFetch, IssuerUnavailable } from "./documents.ts";
import { ANYTHING, checkGiven, either, FUNCTION, type Kind, needed, STRING, STRINGS } from "../setup.ts";
import { issuerMetadata, secureUrl } from "./issuer.ts";
import {
  type AccessToken,
  audiencesOf,
  clientIn,
  eitherEnd,
  invalid,
  isText,
  scopesIn,
  type TokenRefusal,
  unavailable,
  type Verifier,
} from "./verifier.ts";

/** Which tokens are taken, and where the keys are that sign them. */
export interface JwtOptions {
  /** The issuer, as the tokens' `iss` has it. */
  issuer: string;
  /** What `aud` must hold one of. By default the resource's URL; Auth0's API identifier or Entra's `api://…` go here. */
  audience?: string | readonly string[];
  /** Where the issuer's keys are. By default what its metadata says. */
  jwksUri?: string;
  /** Signature algorithms that are taken: by default all that are asymmetric. */
  algorithms?: readonly string[];
  /** What the header's `typ` may be: by default `at+jwt`, `JWT`, or nothing. `["at+jwt"]` takes RFC 9068's own alone. */
  types?: readonly string[];
  /** Seconds by which clocks may differ, 0 to 300. 5 by default. */
  clockSkewS?: number;
  /** For the issuer's documents; the global one by default. */
  fetch?: typeof fetch;
}

const KINDS: Required<Record<keyof JwtOptions, Kind>> = {
  issuer: needed(STRING),
  audience: either(STRING, STRINGS),
  jwksUri: STRING,
  algorithms: STRINGS,
  types: STRINGS,
  clockSkewS: ANYTHING,
  fetch: FUNCTION,
};

/** Never one that verifies with a secret: with it, whoever has the public key could sign. */
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

/**
 * Verifies JWT access tokens: signature, algorithm, issuer, audience, times, type.
 *
 * The issuer's keys are kept for ten minutes, fetched anew for a key id that is not among them (at most
 * once in 10 s), and used for up to a day while the issuer cannot be reached.
 * @throws {TypeError | RangeError} naming the option that is wrong
 */
export function jwt(options: JwtOptions): Verifier {
  checkGiven("jwt", options, KINDS);
  const { issuer, clockSkewS = 5, algorithms = ALGORITHMS, types = ["at+jwt", "JWT", ""] } = options;
  secureUrl("issuer", issuer);
  if (!Number.isFinite(clockSkewS) || clockSkewS < 0 || clockSkewS > 300) {
    throw new RangeError(`clockSkewS must be a number from 0 to 300, not ${clockSkewS}`);
  }
  const unfit = algorithms.find((algorithm) => !ALGORITHMS.includes(algorithm));
  if (unfit !== undefined || algorithms.length === 0) {
    throw new RangeError(
      `algorithms must hold some of ${ALGORITHMS.join(", ")}, and not ${unfit ?? "nothing"}`,
    );
  }
  const allowed = new Set(types.map(bareType));
  const keys = issuerKeys(options);

  return async (token, { resource }) => {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keyFor(keys), {
        algorithms: [...algorithms],
        issuer: eitherEnd(issuer),
        audience: audiencesOf(resource, options.audience),
        clockTolerance: clockSkewS,
        requiredClaims: ["exp"],
      });
      if (!allowed.has(bareType(protectedHeader.typ ?? ""))) return invalid("the token is of another type");
      return accessToken(payload, clockSkewS);
    } catch (error) {
      return refusal(error);
    }
  };
}

function accessToken(claims: JWTPayload, clockSkewS: number): AccessToken | TokenRefusal {
  // A token that is bound to a key is worth nothing without proof of the key, and none is asked for here.
  if (claims["cnf"] !== undefined)
    return invalid("the token is bound to a key; bearer tokens are taken here");
  return {
    subject: isText(claims.sub) ? claims.sub : undefined,
    clientId: clientIn(claims),
    scopes: scopesIn(claims),
    expiresAt: Math.ceil((claims.exp ?? 0) + clockSkewS),
    claims,
  };
}

/** `at+jwt` and `application/at+jwt` are one type, whatever the case (RFC 7515 section 4.1.9). */
function bareType(type: string): string {
  return type.toLowerCase().replace(/^application\//, "");
}

/** The client is told the kind of fault; what jose says of it may hold what the token says. */
function refusal(error: unknown): TokenRefusal {
  if (error instanceof IssuerUnavailable) return unavailable(error.message);
  if (error instanceof errors.JWTExpired) return invalid("the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return invalid(`the token's claim ${claimOf(error)} does not fit`);
  if (error instanceof errors.JWKSNoMatchingKey) return invalid("the token is signed with an unknown key");
  if (error instanceof errors.JOSEError)
    return invalid("the token is malformed, or its signature does not hold");
  throw error;
}

/** A claim that we asked for, not a word of the token's. */
function claimOf({ claim }: errors.JWTClaimValidationFailed): string {
  return claim;
}

type Keys = ReturnType<typeof createLocalJWKSet>;

function issuerKeys({ issuer, jwksUri, fetch: fetcher = globalFetch }: JwtOptions): Document<Keys> {
  const fixed = jwksUri === undefined ? undefined : secureUrl("jwksUri", jwksUri).href;
  const metadata = issuerMetadata(issuer, fetcher);
  return createDocument(async () => {
    const url = fixed ?? (await metadata.current())["jwks_uri"];
    if (!isText(url)) throw new IssuerUnavailable(`${issuer} names no jwks_uri`);
    const set = await fetchJson(checkedUri(url), fetcher);
    try {
      return createLocalJWKSet(set as unknown as JSONWebKeySet);
    } catch (error) {
      throw new IssuerUnavailable(`${url} holds no key set`, { cause: error });
    }
  });
}

function checkedUri(url: string): string {
  try {
    return secureUrl("jwks_uri", url).href;
  } catch (error) {
    throw new IssuerUnavailable(String(error));
  }
}

/** The key that the header names; where it is not among those we hold, among those that there are now. */
function keyFor(keys: Document<Keys>): JWTVerifyGetKey {
  return async (header, token) => {
    const held = await keys.current();
    try {
      return await held(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const renewed = await keys.renewed();
      if (renewed === held) throw error;
      return renewed(header, token);
    }
  };
}
