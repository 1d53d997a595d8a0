/**
 * What every route starts from: the request judged by origin and credentials, with the headers that
 * its answer must carry whatever the answer is.
 * @module
 */
import type { Context, Env } from "hono";
import { formatChallenge, metadataUrlOf } from "../challenge.ts";
import type { ChangeHub } from "../changes.ts";
import type { Caller, ModernHandler, SessionHost, SessionRef } from "../host.ts";
import { LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID } from "../http/headers.ts";
import { corsHeaders, isOriginAllowed } from "../http/origin.ts";
import { failed } from "../http/respond.ts";
import { isExpired } from "../expiry.ts";
import * as failures from "../jsonrpc/failures.ts";
import { SESSION_VERSIONS } from "../jsonrpc/versions.ts";
import type { Settings } from "../options.ts";

/** Who may call, as `authorize` established it. */
export interface Authorization {
  /**
   * The subject: stable across refreshed tokens (a user id, not a token). A session belongs to the
   * subject that opened it; any other gets 404.
   */
  principal: string;
  /** The SDK's `AuthInfo`, handed to tools with each call and never stored. */
  authInfo?: unknown;
}

/** Judges a request. Nothing means 401; a Response is sent as it is. */
export type Authorize<E extends Env> = (
  request: Request,
  c: Context<E>,
) => Authorization | Response | undefined | Promise<Authorization | Response | undefined>;

/** What the routes share. */
export interface Site<E extends Env> {
  readonly name: string;
  readonly version: string;
  readonly host: SessionHost<E["Bindings"]>;
  readonly settings: Settings;
  readonly authorize: Authorize<E> | undefined;
  /** The stateless era; without it 2026-07-28 is refused. */
  readonly modern: ModernHandler<E["Bindings"]> | undefined;
  readonly hub: ChangeHub | undefined;
  readonly topic: Topic<E> | undefined;
}

/** The hub's topic that a request belongs to, such as its tenant. */
export type Topic<E extends Env> = (request: Request, c: Context<E>) => string;

/** A request that may go on. */
export interface Admitted<E extends Env> {
  readonly c: Context<E>;
  readonly request: Request;
  readonly caller: Caller;
  /** CORS headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Judges the origin: the CORS headers that every answer from here on carries, or the answer that ends it. */
export function admitOrigin<E extends Env>(
  c: Context<E>,
  site: Site<E>,
): Readonly<Record<string, string>> | Response {
  const origin = c.req.header("origin");
  if (origin === undefined) return {};
  if (!isOriginAllowed(origin, new URL(c.req.url), site.settings)) return failed(failures.forbiddenOrigin);
  return corsHeaders(origin);
}

/** Judges credentials: what may go on, or the answer that ends it. */
export async function admit<E extends Env>(
  c: Context<E>,
  site: Site<E>,
  headers: Readonly<Record<string, string>>,
): Promise<Admitted<E> | Response> {
  const request = c.req.raw;
  const judged = site.authorize === undefined ? { principal: undefined } : await site.authorize(request, c);
  if (judged === undefined) return failed(failures.unauthorized, headers);
  if (judged instanceof Response) return withHeaders(judged, headers);
  const { principal, authInfo } = judged as { principal: string | undefined; authInfo?: unknown };
  if (isExpired(authInfo)) return failed(expired(authInfo), headers);
  let names: Record<string, string> | undefined;
  const caller: Caller = {
    principal,
    authInfo,
    topic: site.topic?.(request, c),
    url: request.url,
    headers: () => (names ??= Object.fromEntries(request.headers)),
    original: request.method === "POST" ? () => request : undefined,
  };
  return { c, request, caller, headers };
}

function expired(authInfo: unknown): failures.Failure {
  const description = "the token has expired";
  const metadataUrl = metadataUrlOf(authInfo);
  return failures.invalidToken(
    description,
    formatChallenge({ error: "invalid_token", description, metadataUrl }),
  );
}

/** The session id of the request, well-formed or not. */
export function sessionIdOf(request: Request): string | undefined {
  return request.headers.get(SESSION_ID) ?? undefined;
}

/** The session that the request names, or the failure to answer with. */
export function findSession<E extends Env>(
  site: Site<E>,
  { c }: Admitted<E>,
  id: string | undefined,
  missing: failures.Failure,
): SessionRef | failures.Failure {
  if (id === undefined) return missing;
  const known = site.host.find(id, c.env);
  if (known !== undefined) return known;
  return /^[A-Za-z0-9_-]{1,128}$/.test(id) ? failures.sessionNotFound : failures.malformedSessionId;
}

/** A version header that the session eras do not know. None means the session's own (2025-06-18, "Protocol Version Header"). */
export function unsupportedVersion<E extends Env>(
  site: Site<E>,
  request: Request,
): failures.Failure | undefined {
  const version = request.headers.get(PROTOCOL_VERSION);
  if (version === null || SESSION_VERSIONS.includes(version)) return undefined;
  // A revision without sessions may be served here, and yet not be what a session's request can name.
  const supported = versionsOf(site).filter((served) => served !== version);
  return failures.unsupportedProtocolVersion(version, supported);
}

/** Every revision that is served, oldest first. */
export function versionsOf<E extends Env>(site: Site<E>): readonly string[] {
  return [...SESSION_VERSIONS, ...(site.modern?.versions ?? [])];
}

/** Last-Event-ID, where it is there and not empty. */
export function lastEventIdOf(request: Request): string | undefined {
  return request.headers.get(LAST_EVENT_ID) || undefined;
}

/** Copied where there is something to add: what somebody else has made may not be changed. */
export function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const added = Object.entries(headers);
  if (added.length === 0) return response;
  const copy = new Response(response.body, response);
  for (const [name, value] of added) copy.headers.set(name, value);
  return copy;
}
