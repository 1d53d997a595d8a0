/**
 * Streamable HTTP: one path, three methods. Which era a POST belongs to is said by its body; what
 * follows here is the one with sessions (2025-03-26, 2025-06-18, 2025-11-25).
 * @module
 */
import type { Env } from "hono";
import { shortId } from "../events.ts";
import type { Answer, Attach, Attached, Call, SessionRef } from "../host.ts";
import { readBody } from "../http/body.ts";
import { SSE_TYPE } from "../http/headers.ts";
import { acceptedAnswers, accepts, isJson } from "../http/negotiate.ts";
import { empty, failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isInitialize, isRequest, type Payload, parsePayload } from "../jsonrpc/messages.ts";
import type { Settings } from "../options.ts";
import { namedOnDemand, refuse, respond } from "./answer.ts";
import {
  type Admitted,
  findSession,
  lastEventIdOf,
  sessionIdOf,
  type Site,
  unsupportedVersion,
} from "./context.ts";
import { stateless } from "./modern.ts";

export const METHODS = "GET, POST, DELETE";

export async function post<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { request, headers } = admitted;
  const accept = acceptedAnswers(request.headers.get("accept"));
  if (accept === undefined) {
    return failed(failures.notAcceptable("application/json and text/event-stream"), headers);
  }
  const body = await readMessages(admitted, site.settings);
  if ("failure" in body) return failed(body.failure, headers);
  const { text, payload } = body;
  if (site.modern?.claims(request, payload)) return stateless(site, site.modern, admitted, payload);
  const id = sessionIdOf(request);
  const only = accept === "sse" ? "sse" : undefined;
  const connectionId = namedOnDemand();
  const call: Call = {
    opens: false,
    transport: "streamable",
    caller: admitted.caller,
    text,
    payload,
    accept: accept === "json" ? "json" : "any",
    connectionId,
  };

  if (isInitialize(payload)) {
    const known = await initializeKnown(site, admitted, id, call);
    if (known !== undefined) return known;
    return open(site, admitted, call, only);
  }
  const unsupported = unsupportedVersion(site, request);
  if (unsupported !== undefined) return failed(unsupported, headers);
  const ref = findSession(site, admitted, id, failures.missingSessionId);
  if ("status" in ref) return failed(ref, headers);
  const answer = await postOnce(ref, call, site.settings);
  return respond(answer, { site, admitted, ref, connectionId, transport: "streamable" }, only);
}

export async function get<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { request, headers, caller } = admitted;
  const id = sessionIdOf(request);
  if (id === undefined) return failed(failures.methodNotAllowed("POST, DELETE"), headers);
  if (!accepts(request.headers.get("accept"), SSE_TYPE)) {
    return failed(failures.notAcceptable(SSE_TYPE), headers);
  }
  const unsupported = unsupportedVersion(site, request);
  if (unsupported !== undefined) return failed(unsupported, headers);
  const ref = findSession(site, admitted, id, failures.missingSessionId);
  if ("status" in ref) return failed(ref, headers);
  const connectionId = namedOnDemand();
  const answer = await establish(site, ref, {
    opens: false,
    transport: "streamable",
    caller,
    connectionId: connectionId(),
    lastEventId: lastEventIdOf(request),
    redial: false,
  });
  return respond(answer, { site, admitted, ref, connectionId, transport: "streamable", isStanding: true });
}

export async function remove<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { headers, request, caller } = admitted;
  const ref = findSession(site, admitted, sessionIdOf(request), failures.missingSessionIdOnDelete);
  if ("status" in ref) return failed(ref, headers);
  try {
    const ended = await ref.end(caller);
    return ended.kind === "ended" ? empty(204, headers) : refuse(ended, headers);
  } catch {
    return failed(failures.unreachable, headers);
  }
}

/** Reads and parses the body of a POST. */
export async function readMessages<E extends Env>(
  { request, c }: Admitted<E>,
  settings: Settings,
): Promise<{ text: string; payload: Payload } | { failure: failures.Failure }> {
  if (!isJson(request.headers.get("content-type"))) return { failure: failures.unsupportedMediaType };
  // What middleware has read through the context, Hono still holds.
  const read = request.bodyUsed
    ? new Request(request.url, { method: "POST", body: await c.req.text() })
    : request;
  const body = await readBody(read, settings.maxBodyBytes);
  if ("failure" in body) return body;
  const parsed = parsePayload(body.text);
  return "failure" in parsed ? parsed : { text: body.text, payload: parsed.payload };
}

/**
 * Posts to a session that may die under the call. What may run again does, once; for the rest the
 * edge, which still holds the client's connection, says what happened.
 */
export async function postOnce(ref: SessionRef, call: Call, settings: Settings): Promise<Answer> {
  try {
    return await ref.post(call);
  } catch {
    const requests = call.payload.messages.filter(isRequest);
    if (requests.every(settings.rerun)) {
      const again = await ref.post(call).catch(() => undefined);
      if (again !== undefined) return again;
    }
    if (requests.length === 0) return { kind: "refused", failure: failures.unreachable };
    const errors = requests.map((request) => failures.interrupted(request.id, settings.rerun(request)));
    return { kind: "json", body: JSON.stringify(call.payload.batch ? errors : errors[0]) };
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
    clientIp: headers["cf-connecting-ip"] ?? headers["x-forwarded-for"],
    userAgent: headers["user-agent"],
  });
  try {
    const attached = await ref.attach(request).catch(() => ref.attach(request));
    if (attached.kind === "stream") {
      emit("connection.setup", {
        connectionId,
        session: shortId(ref.id),
        resumed: request.lastEventId !== undefined,
      });
    }
    return attached;
  } catch {
    return { kind: "refused", failure: failures.unreachable };
  }
}

/**
 * An `initialize` that carries a session id. The spec wants 404 for a dead one; `rotate` starts a new
 * session instead, and lets a successor that nobody has used be initialised under its own id.
 */
async function initializeKnown<E extends Env>(
  site: Site<E>,
  admitted: Admitted<E>,
  id: string | undefined,
  call: Call,
): Promise<Response | undefined> {
  if (id === undefined) return undefined;
  const { headers } = admitted;
  const ref = findSession(site, admitted, id, failures.missingSessionId);
  if (!("status" in ref)) {
    const answer = await postOnce(ref, call, site.settings);
    const isGone = answer.kind === "refused" && answer.failure.status === 404;
    if (!isGone) {
      const { connectionId } = call;
      return respond(answer, { site, admitted, ref, connectionId, transport: "streamable" });
    }
  } else if (ref !== failures.sessionNotFound) return failed(ref, headers);
  return site.settings.recovery === "spec" ? failed(failures.sessionNotFound, headers) : undefined;
}

/** Opens a session. One that died under its `initialize` left nothing behind: another is opened. */
async function open<E extends Env>(
  site: Site<E>,
  admitted: Admitted<E>,
  call: Call,
  only: "sse" | undefined,
): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const ref = site.host.mint(admitted.c.env);
    try {
      const answer = await ref.post({ ...call, opens: true });
      const { connectionId } = call;
      return respond(answer, { site, admitted, ref, connectionId, transport: "streamable" }, only);
    } catch {
      if (attempt === 2) return failed(failures.unreachable, admitted.headers);
    }
  }
}
