/** Keys that are handed out once and kept: for machines, and for clients that know no OAuth. @module */
import { checkGiven, needed } from "../setup.ts";
import { type AccessToken, isText, type Verifier } from "./verifier.ts";

/** Whom a key speaks for. */
export interface ApiKeyOwner {
  readonly subject: string;
  readonly scopes?: readonly string[];
  /** Seconds since 1970 from which the key is refused. */
  readonly expiresAt?: number;
}

/** A key and its owner; an owner may have several, so that one can be replaced. */
export interface ApiKey extends ApiKeyOwner {
  /** At least 20 characters, of those that a bearer token may have (RFC 6750 section 2.1). */
  readonly key: string;
}

/** Finds the owner by the key's SHA-256, in lower-case hex: what is stored need not be the key. */
export type FindApiKey = (sha256: string) => ApiKeyOwner | undefined | Promise<ApiKeyOwner | undefined>;

/** What `apiKey` goes by: all keys, or what finds a key's owner by its hash. */
export interface ApiKeyOptions {
  /** All keys there are, or a function that finds the owner of one by its hash. */
  keys: readonly ApiKey[] | FindApiKey;
}

const LEAST_LENGTH = 20;
const encoder = new TextEncoder();

/**
 * Verifies API keys, sent as `Authorization: Bearer <key>`. Keys are compared by their hashes, all of them
 * and whole, so the time that it takes tells nothing of them.
 * @throws {TypeError | RangeError} for keys that are too short to be secret, malformed, or there twice
 */
export function apiKey(options: ApiKeyOptions): Verifier {
  checkGiven("apiKey", options, {
    keys: needed(["a list of keys, or a function", (it) => Array.isArray(it) || typeof it === "function"]),
  });
  const { keys } = options;
  if (typeof keys === "function") {
    return async (token) => accessToken(await keys(hex(await sha256(token))));
  }
  keys.forEach(({ key, subject }, index) => {
    const name = `keys[${index}]`;
    if (!isText(subject)) throw new TypeError(`${name} has no subject`);
    if (!isText(key) || !/^[A-Za-z0-9._~+/-]+=*$/.test(key))
      throw new TypeError(`${name} is no bearer token`);
    if (key.length < LEAST_LENGTH)
      throw new RangeError(`${name} must have at least ${LEAST_LENGTH} characters`);
  });
  if (new Set(keys.map(({ key }) => key)).size < keys.length) throw new TypeError("keys holds a key twice");
  // Hashed with the first request: on Workers nothing asynchronous runs before it.
  let hashed: Promise<{ hash: Uint8Array; owner: ApiKeyOwner }[]> | undefined;

  return async (token) => {
    const known = await (hashed ??= Promise.all(
      keys.map(async (owner) => ({ hash: await sha256(owner.key), owner })),
    ));
    const hash = await sha256(token);
    let found: ApiKeyOwner | undefined;
    for (const one of known) if (equal(one.hash, hash)) found = one.owner;
    return accessToken(found);
  };
}

function accessToken(owner: ApiKeyOwner | undefined): AccessToken | undefined {
  if (owner === undefined) return undefined;
  const { subject, scopes = [], expiresAt } = owner;
  if (expiresAt !== undefined && !(expiresAt > Date.now() / 1000)) return undefined;
  return { subject, clientId: subject, scopes, expiresAt, claims: {} };
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

/** Looks at every byte, whatever it finds. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (const [index, byte] of a.entries()) difference |= byte ^ (b[index] ?? 0);
  return difference === 0;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
