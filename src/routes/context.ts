/**
 * What every route starts from: the request judged by origin and credentials, with the headers that
 * its answer must carry whatever the answer is.
 * @module
 */
import type { WaitUntil } from "../background.ts";
import type { Context, Env } from "hono";
import { formatChallenge, metadataUrlOf } from "../challenge.ts";
import type { ChangeHub } from "../changes.ts";
import { ENDED_TOPIC } from "../endings.ts";
import { hookFailed, hookInTime, HookLate, type HookName } from "../hooks.ts";
import type { Caller, ModernHandler, RequestHandler, SessionHost, SessionRef } from "../host.ts";
import type { BodyReader } from "../http/body.ts";
import { LAST_EVENT_ID, PROTOCOL_VERSION, recordOf, SESSION_ID, single } from "../http/headers.ts";
import { corsHeaders, isOriginAllowed } from "../http/origin.ts";
import { failed, refusalOf, standingFor } from "../http/respond.ts";
import { isExpired } from "../expiry.ts";
import * as failures from "../jsonrpc/failures.ts";
import { SESSION_VERSIONS } from "../jsonrpc/versions.ts";
import type { Settings } from "../options.ts";
import type { SessionKey } from "./session-key.ts";

/** Who may call, as `authorize` established it. */
export interface Authorization {
  /**
   * The subject: stable across refreshed tokens (a user id, not a token). A session belongs to the
   * subject that opened it; any other gets 404. A string of 1 to 1024 characters without half surrogates: anything
   * else is answered 500 and told as `hook.error`.
   */
  principal: string;
  /** The SDK's `AuthInfo`, handed to tools with each call and never stored. */
  authInfo?: unknown;
}

/** Judges a request. Nothing means 401; a Response is sent as it is. A throw or a rejection is answered 500. */
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
  readonly bodies: BodyReader;
  readonly authorize: Authorize<E> | undefined;
  /** What `authorize` is called where it is another hook. */
  readonly judge?: HookName;
  /** The stateless era; without it 2026-07-28 is refused. */
  readonly modern: ModernHandler<E["Bindings"]> | undefined;
  /** The session of a request that names none, for clients that keep no id. */
  readonly sessionKey: SessionKey<E> | undefined;
  /** Requests of the session eras that name no session; without it they are refused. */
  readonly requests: RequestHandler<E["Bindings"]> | undefined;
  /** `context.waitUntil` of what belongs to no session. */
  readonly waitUntil: WaitUntil;
  readonly hub: ChangeHub | undefined;
  readonly topic: Topic<E> | undefined;
  /** Whether a request may name the Host that it names. */
  readonly isHostAllowed: (request: Request) => boolean;
}

/** The hub's topic that a request belongs to, such as its tenant: 1 to 1024 characters without half surrogates. */
export type Topic<E extends Env> = (request: Request, c: Context<E>) => string;

/** A request that may go on. */
export interface Admitted<E extends Env> {
  readonly c: Context<E>;
  readonly request: Request;
  readonly caller: Caller;
  /** The mark of `Endings` as it came, before it was judged. */
  readonly since: number;
  /** CORS headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Judges Host and Origin: the CORS headers that every answer from here on carries, or the answer that ends it. */
export function admitOrigin<E extends Env>(
  c: Context<E>,
  site: Site<E>,
): Readonly<Record<string, string>> | Response {
  const request = c.req.raw;
  if (!site.isHostAllowed(request)) return failed(failures.forbiddenHost);
  const origin = request.headers.get("origin");
  if (origin === null) {
    // An image, a link, a form: sent by a page whose script could not have read the answer.
    return request.headers.get("sec-fetch-site") === "cross-site" ? failed(failures.forbiddenCrossSite) : {};
  }
  try {
    const isAllowed = isOriginAllowed(origin, new URL(request.url), site.settings);
    return isAllowed ? corsHeaders(origin) : failed(failures.forbiddenOrigin);
  } catch (error) {
    hookFailed(site.settings.emit, "allowedOrigins", error);
    return failed(failures.internalError);
  }
}

/** Judges credentials: what may go on, or the answer that ends it. */
export async function admit<E extends Env>(
  c: Context<E>,
  site: Site<E>,
  headers: Readonly<Record<string, string>>,
): Promise<Admitted<E> | Response> {
  const request = c.req.raw;
  const { authorize, settings, judge = "authorize" } = site;
  const since = site.host.endings?.mark() ?? 0;
  let principal: string | undefined;
  let authInfo: unknown;
  if (authorize !== undefined) {
    try {
      // What a user's code returns is whatever it returns.
      const judged: unknown = await hookInTime(judge, authorize(request, c), settings.initializeTimeoutMs);
      if (judged === undefined || judged === null) return failed(failures.unauthorized, headers);
      if (judged instanceof Response) return withHeaders(judged, headers);
      ({ principal, authInfo } = authorizationOf(judged));
    } catch (error) {
      hookFailed(settings.emit, judge, error);
      return failed(
        error instanceof HookLate ? failures.credentialsUnjudged() : failures.internalError,
        headers,
      );
    }
    if (isExpired(authInfo)) return failed(expired(authInfo), headers);
  }
  let topic: string | undefined;
  try {
    topic = site.topic && nameOf(site.topic(request, c), "topic must return");
    if (topic === ENDED_TOPIC) throw new TypeError(`topic must not return ${ENDED_TOPIC}`);
  } catch (error) {
    hookFailed(settings.emit, "topic", error);
    return failed(failures.internalError, headers);
  }
  let names: Record<string, string> | undefined;
  const caller: Caller = {
    principal,
    authInfo,
    topic,
    url: request.url,
    headers: () => (names ??= recordOf(request.headers)),
    original: request.method === "POST" ? () => request : undefined,
  };
  return { c, request, caller, since, headers };
}

function expired(authInfo: unknown): failures.Failure {
  const description = "the token has expired";
  const metadataUrl = metadataUrlOf(authInfo);
  return failures.invalidToken(
    description,
    formatChallenge({ error: "invalid_token", description, metadataUrl }),
  );
}

/** Longest name of a principal or of a topic: it is stored with each session. */
const MAX_NAME = 1024;

function authorizationOf(judged: unknown): Authorization {
  const { principal, authInfo } = judged as Partial<Authorization>;
  return {
    principal: nameOf(principal, "authorize must return nothing, a Response, or { principal } with"),
    authInfo,
  };
}

/**
 * The name that a hook gives. Only a string is the same again after it was stored: a number becomes another, half a
 * surrogate becomes U+FFFD, and nothing at all would be everybody.
 * @throws {TypeError} that says what to return; never what was returned, which may be a secret
 */
function nameOf(name: unknown, must: string): string {
  if (typeof name === "string" && name !== "" && name.length <= MAX_NAME && name.isWellFormed()) return name;
  // A promise that rejects, with nobody to hear it, ends a process.
  if (name instanceof Promise) name.catch(() => {});
  const was = typeof name === "string" ? `one of ${name.length} characters` : kindOf(name);
  throw new TypeError(`${must} a string of 1 to ${MAX_NAME} characters without half surrogates, not ${was}`);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return value instanceof Promise ? "a promise" : typeof value;
}

/** The session id of the request, well-formed or not. */
export function sessionIdOf(request: Request): string | undefined {
  return single(request.headers.get(SESSION_ID)) ?? undefined;
}

/** The session of this id, or the failure to answer with. */
export function findSession<E extends Env>(
  site: Site<E>,
  { c }: Admitted<E>,
  id: string,
): SessionRef | failures.Failure {
  const known = site.host.find(id, c.env);
  if (known !== undefined) return known;
  return /^[A-Za-z0-9_-]{1,128}$/.test(id) ? failures.sessionNotFound : failures.malformedSessionId;
}

/** A version header that the session eras do not know. None means the session's own (2025-06-18, "Protocol Version Header"). */
export function unsupportedVersion<E extends Env>(
  site: Site<E>,
  request: Request,
): failures.Failure | undefined {
  const version = single(request.headers.get(PROTOCOL_VERSION));
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
  return standingFor(copy, refusalOf(response));
}
