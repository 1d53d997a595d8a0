/**
 * Streamable HTTP: one path, three methods. Which era a POST belongs to is said by its body; what
 * follows here is the one with sessions (2025-03-26, 2025-06-18, 2025-11-25).
 * @module
 */
import type { Env } from "hono";
import { clientText, shortId } from "../log-text.ts";
import type { Answer, Attach, Attached, Call, SessionRef } from "../host.ts";
import { SSE_HEADERS, SSE_TYPE } from "../http/headers.ts";
import { type Accepted, acceptedAnswers, accepts, isJson, isPlain } from "../http/negotiate.ts";
import { peekId } from "../http/peek.ts";
import { asMeant, QUIRKS, RETURNS_AFTER_MS } from "../http/quirks.ts";
import { empty, failed, turnedAwayUnread } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isInitialize, isRequest, type Payload } from "../jsonrpc/messages.ts";
import { parsePayload, refusalId, type Unreadable } from "../jsonrpc/parse.ts";
import { toWire } from "../jsonrpc/wire.ts";
import type { Settings } from "../options.ts";
import { SetupError } from "../setup.ts";
import { parseEventId, returning, unmarked } from "../sse/event-id.ts";
import { primingFrame } from "../sse/frames.ts";
import { namedOnDemand, refuse, respond } from "./answer.ts";
import {
  type Admitted,
  findSession,
  lastEventIdOf,
  sessionIdOf,
  type Site,
  unsupportedVersion,
} from "./context.ts";
import { findKeyed } from "./keyed.ts";
import { stateless } from "./modern.ts";

/** What `Allow` says at `/mcp`. */
export const METHODS = "GET, POST, DELETE";

/** A POST: a message or a batch of them, of whichever era. */
export async function post<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const response = await answerTo(site, admitted);
  const { request } = admitted;
  const isLost = response.status === 404 && sessionIdOf(request) !== undefined;
  if (!isLost || !QUIRKS.lostByStatus(request.headers)) return response;
  response.headers.set("Content-Type", "text/plain");
  return new Response("Session not found", response);
}

async function answerTo<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { request, headers } = admitted;
  const id = sessionIdOf(request);
  // Looked up before the body is read: a stranger's is not worth parsing for long, only to be told 404.
  const named = id === undefined ? failures.missingSessionId : findSession(site, admitted, id);
  const limit = "status" in named ? strangerLimit(site, request, id) : site.settings.maxBodyBytes;
  const accept = acceptedAnswers(request.headers.get("accept"));
  const body = await readMessages(site, admitted, limit);
  if ("failure" in body) {
    if (!("status" in named)) return turnedAwayUnread(body.failure, body.id, { headers, accept });
    // It is no `initialize`, and names no session that could take it.
    const isForNobody = id !== undefined && body.failure.status === 413;
    return failed(isForNobody ? named : body.failure, headers, body.id);
  }
  const { text, payload } = body;
  const refusesAs = refusalId(payload);
  const modern = site.modern?.claims(request, payload) ? site.modern : undefined;
  if (accept === undefined || (modern !== undefined && accept !== "any")) {
    return failed(failures.notAcceptable("application/json and text/event-stream"), headers, refusesAs);
  }
  if (modern !== undefined) return stateless(site, admitted, { handler: modern, payload });
  const connectionId = namedOnDemand();
  const call: Call = {
    opens: false,
    transport: "streamable",
    caller: admitted.caller,
    text,
    payload,
    accept: accept === "json" ? "json" : "any",
    noRetry: QUIRKS.noRetry(request.headers),
    connectionId,
  };

  if (!isInitialize(payload)) {
    const unsupported = unsupportedVersion(site, request);
    if (unsupported !== undefined) return failed(unsupported, headers, refusesAs);
  }
  const found = id === undefined ? await findKeyed(site, admitted, payload) : undefined;
  if (found !== undefined) {
    if ("failure" in found) return failed(found.failure, headers, refusesAs);
    const { ref, keyed } = found;
    const answer = await postOnce(ref, { ...call, keyed }, site.settings);
    return respond(
      answer,
      { site, admitted, ref, connectionId, transport: "streamable", payload, keyed },
      accept,
    );
  }
  if (isInitialize(payload)) {
    const known = await initializeKnown(site, admitted, { id, ref: named, call });
    if (known !== undefined) return known;
    return open(site, admitted, { call, accept });
  }
  if (id === undefined && site.requests !== undefined) {
    return stateless(site, admitted, { handler: site.requests, payload });
  }
  if ("status" in named) return failed(named, headers, refusesAs);
  const answer = await postOnce(named, call, site.settings);
  return respond(
    answer,
    { site, admitted, ref: named, connectionId, transport: "streamable", payload },
    accept,
  );
}

/** A GET: the standalone stream, or the resume of any stream by its event id. */
export async function get<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { request, headers, caller } = admitted;
  const id = sessionIdOf(request);
  const found = id === undefined ? await findKeyed(site, admitted, undefined) : undefined;
  if (found !== undefined && "failure" in found) return failed(found.failure, headers);
  if (id === undefined && found === undefined) {
    return failed(failures.methodNotAllowed("POST, DELETE"), headers);
  }
  if (!accepts(request.headers.get("accept"), SSE_TYPE)) {
    return failed(failures.notAcceptable(SSE_TYPE), headers);
  }
  const unsupported = unsupportedVersion(site, request);
  if (unsupported !== undefined) return failed(unsupported, headers);
  const ref = found?.ref ?? (id === undefined ? failures.missingSessionId : findSession(site, admitted, id));
  if ("status" in ref) return failed(ref, headers);
  const marked = lastEventIdOf(request);
  const last = marked === undefined ? undefined : unmarked(marked);
  if (last !== undefined && !last.isReturning && QUIRKS.countsBreaks(request.headers)) {
    if (parseEventId(last.id) !== undefined) return sentBack(last.id, headers);
  }
  const connectionId = namedOnDemand();
  const answer = await establish(site, ref, {
    opens: false,
    keyed: found?.keyed,
    transport: "streamable",
    caller,
    connectionId: connectionId(),
    lastEventId: last?.id,
    redial: false,
    noRetry: QUIRKS.noRetry(request.headers),
    notesPlace: QUIRKS.notesPlace(request.headers),
  });
  return respond(answer, { site, admitted, ref, connectionId, transport: "streamable" });
}

/** A stream that is a place, an end in order, and the word to come back for good. The session hears nothing of it. */
function sentBack(id: string, headers: Readonly<Record<string, string>>): Response {
  const text = primingFrame(returning(id), RETURNS_AFTER_MS);
  return new Response(text, { headers: { ...headers, ...SSE_HEADERS } });
}

/** A DELETE: the client ends its session. */
export async function remove<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { headers, request, caller } = admitted;
  const id = sessionIdOf(request);
  const ref = id === undefined ? failures.missingSessionIdOnDelete : findSession(site, admitted, id);
  if ("status" in ref) return failed(ref, headers);
  try {
    const ended = await ref.end(caller);
    return ended.kind === "ended"
      ? empty(204, headers)
      : refuse(ended, { admitted, transport: "streamable" });
  } catch (error) {
    return failed(unreachable(error), headers);
  }
}

/**
 * Largest body of a request that no session here takes: an `initialize`, unless it can be one that is served without
 * a session. Parsed, a body of nothing but brackets takes 22 times its size.
 */
function strangerLimit<E extends Env>(site: Site<E>, request: Request, id: string | undefined): number {
  const { maxBodyBytes, maxInitializeBytes } = site.settings;
  const isServed = id === undefined && (site.requests !== undefined || site.sessionKey !== undefined);
  if (isServed || site.modern?.claimsByHeader(request)) return maxBodyBytes;
  return Math.min(maxBodyBytes, maxInitializeBytes + ENVELOPE_BYTES);
}

/** What stands around the params of an `initialize`, generously. */
const ENVELOPE_BYTES = 4096;

/**
 * Reads and parses the body of a POST.
 * @param limit bytes
 */
export async function readMessages<E extends Env>(
  { bodies, settings, host }: Site<E>,
  { request, c, caller, since }: Admitted<E>,
  limit: number,
): Promise<{ text: string; payload: Payload } | Unreadable> {
  if (!isJson(request.headers.get("content-type")))
    return { failure: failures.unsupportedMediaType, id: null };
  if (!isPlain(request.headers.get("content-encoding"))) {
    return { failure: failures.unsupportedEncoding, id: null };
  }
  // What middleware has read through the context, Hono still holds.
  const read = request.bodyUsed
    ? new Request(request.url, { method: "POST", body: await c.req.text() })
    : request;
  const body = await bodies.read(read, limit, (text) => {
    const parsed = parsePayload(text, settings.maxInitializeBytes);
    if ("failure" in parsed) return parsed;
    const [message] = parsed.payload.messages;
    if (message !== undefined && isInitialize(parsed.payload) && QUIRKS.capitals(request.headers)) {
      const meant = asMeant(message);
      if (meant !== undefined) return { text: toWire(meant), payload: { batch: false, messages: [meant] } };
    }
    return { text, payload: parsed.payload };
  });
  if ("failure" in body) return "id" in body ? body : { ...body, id: await peekId(read) };
  // Let in, and shut out while it was on its way: it must not begin anything.
  const { principal } = caller;
  const isOut = principal !== undefined && host.endings?.hasEnded(principal, since) === true;
  return isOut ? { failure: failures.unauthorized, id: refusalId(body.payload) } : body;
}

/**
 * Posts to a session that may die under the call. What may run again does, once; for the rest the
 * edge, which still holds the client's connection, says what happened.
 */
export async function postOnce(ref: SessionRef, call: Call, settings: Settings): Promise<Answer> {
  try {
    return await ref.post(call);
  } catch (error) {
    if (error instanceof SetupError) return { kind: "refused", failure: unreachable(error) };
    const requests = call.payload.messages.filter(isRequest);
    if (requests.every(settings.rerun)) {
      const again = await ref.post(call).catch(() => undefined);
      if (again !== undefined) return again;
    }
    if (requests.length === 0) return { kind: "refused", failure: failures.unreachable };
    ref.diedUnder?.(call);
    const errors = requests.map((request) => failures.interrupted(request.id, settings.rerun(request)));
    return {
      kind: "json",
      body: call.payload.batch ? `[${errors.map(toWire).join()}]` : toWire(errors[0] as object),
    };
  }
}

/** Asks for a stream; a session that dies under the question is asked once more. */
export async function establish<E extends Env>(
  site: Site<E>,
  ref: SessionRef,
  request: Attach,
): Promise<Attached> {
  const { connectionId, caller } = request;
  const { emit } = site.settings;
  const headers = caller.headers();
  emit("connection.establishing", {
    connectionId,
    clientIp: clientText(headers["cf-connecting-ip"] ?? headers["x-forwarded-for"]),
    userAgent: clientText(headers["user-agent"]),
  });
  try {
    const attached = await ref.attach(request).catch((error: unknown) => {
      if (error instanceof SetupError) throw error;
      return ref.attach(request);
    });
    if (attached.kind === "stream") {
      emit("connection.setup", {
        connectionId,
        session: shortId(ref.id),
        resumed: request.lastEventId !== undefined,
      });
    }
    return attached;
  } catch (error) {
    return { kind: "refused", failure: unreachable(error) };
  }
}

/**
 * An `initialize` that carries a session id. The spec wants 404 for a dead one; `rotate` starts a new
 * session instead, and lets a successor that nobody has used be initialised under its own id.
 */
async function initializeKnown<E extends Env>(
  site: Site<E>,
  admitted: Admitted<E>,
  { id, ref, call }: { id: string | undefined; ref: SessionRef | failures.Failure; call: Call },
): Promise<Response | undefined> {
  // Empty is what a template leaves that had nothing to fill in.
  if (id === undefined || id === "") return undefined;
  const { headers } = admitted;
  const refusesAs = refusalId(call.payload);
  if (!("status" in ref)) {
    const answer = await postOnce(ref, call, site.settings);
    const isGone = answer.kind === "refused" && answer.failure.status === 404;
    if (!isGone) {
      const { connectionId } = call;
      return respond(answer, {
        site,
        admitted,
        ref,
        connectionId,
        transport: "streamable",
        payload: call.payload,
      });
    }
  } else if (ref !== failures.sessionNotFound) return failed(ref, headers, refusesAs);
  return site.settings.recovery === "spec" ? failed(failures.sessionNotFound, headers, refusesAs) : undefined;
}

/** Opens a session. One that died under its `initialize` left nothing behind: another is opened. */
async function open<E extends Env>(
  site: Site<E>,
  admitted: Admitted<E>,
  { call, accept }: { call: Call; accept: Accepted },
): Promise<Response> {
  const refusesAs = refusalId(call.payload);
  for (let attempt = 1; ; attempt++) {
    const ref = site.host.mint(admitted.c.env);
    try {
      const answer = await ref.post({ ...call, opens: true });
      const { connectionId } = call;
      return respond(
        answer,
        { site, admitted, ref, connectionId, transport: "streamable", payload: call.payload },
        accept,
      );
    } catch (error) {
      if (attempt === 2 || error instanceof SetupError) {
        return failed(unreachable(error), admitted.headers, refusesAs);
      }
    }
  }
}

/** Why a session could not be reached: the moment, or the way the server is set up. */
function unreachable(error: unknown): failures.Failure {
  return error instanceof SetupError ? failures.misconfigured(error.said) : failures.unreachable;
}
