/**
 * A session as its client knows it, whatever the server has called it over time.
 *
 * Sends the client's requests under the id that the server answers to today, and opens the session
 * anew when the server has lost it: `initialize` without an id, `initialized`, then the log level and
 * the subscriptions (2025-11-25, transports, "Session Management").
 * @module
 */
import type { RequestId } from "../jsonrpc/messages.ts";
import { type Backoff, delayAfter } from "./backoff.ts";
import { lastingStream, type StreamHost } from "./lasting-stream.ts";
import { changedFacts, type RecoveryEvent, type SessionFacts } from "./recovery-events.ts";
import { untagAnswer } from "./server-questions.ts";
import {
  type ClientRequest,
  discard,
  type FetchLike,
  isEventStream,
  isTransient,
  LAST_EVENT_ID,
  type Message,
  PROTOCOL_VERSION,
  readAnswer,
  SESSION_ID,
} from "./wire.ts";

/** An answer whose meaning may depend on its words. */
export interface ErrorReply {
  readonly status: number;
  readonly body: string;
}

/** What a session goes by in all of its recoveries. */
export interface SessionSettings {
  readonly fetch: FetchLike;
  readonly backoff: Backoff;
  /** Recognises answers other than 404 that say the same. */
  readonly sessionLost?: (reply: ErrorReply) => boolean;
  readonly emit: (event: RecoveryEvent) => void;
}

/** A session as its client uses it: one method for each of HTTP's. Rejects as `fetch` does. */
export interface ClientSession {
  /** Takes a POST; `messages` are those in its body. */
  POST(request: ClientRequest, messages: readonly Message[]): Promise<Response>;
  GET(request: ClientRequest): Promise<Response>;
  DELETE(request: ClientRequest): Promise<Response>;
}

/**
 * How a recovery ended: with a new session or without one, or with a refusal that is the client's to
 * deal with, a 401 or a 403. Undefined where the request that had begun it was aborted.
 */
type Recovery = boolean | Response | undefined;

/** What every session must answer. */
const PING = JSON.stringify({ jsonrpc: "2.0", id: "ping", method: "ping" });

/** @param id the session id in the client's first request; null where that has none */
export function createSession(
  { fetch, backoff, sessionLost, emit }: SessionSettings,
  id: string | null,
): ClientSession {
  /** The client's last POST: requests of our own go to its URL, with its credentials. */
  let last: ClientRequest;
  /** The client's `initialize`. Without it, the session cannot be opened anew. */
  let opening: Message | undefined;
  let facts: SessionFacts | undefined;
  let generation: number | undefined = 0;
  /** The recovery under way. However many requests find the session lost, there is one, and all wait for it. */
  let recovering: Promise<Recovery> | undefined;
  /** Recoveries that failed in a row, and the time before which no other is tried. */
  let failures = 0;
  let retryAt = 0;
  /** What a new session must be told too: subscriptions by their URI, and the log level, which has none. */
  const standing = new Map<unknown, Message>();

  const empty = (status: number): Response => new Response(null, { status });

  /** Sends a request under the present id. */
  function dispatch(request: ClientRequest, eventId?: string): Promise<Response> {
    const headers = new Headers(request.headers);
    if (eventId) headers.set(LAST_EVENT_ID, eventId);
    if (id) {
      headers.set(SESSION_ID, id);
      // The client goes on naming the version of the session that it opened itself.
      if (generation && facts) headers.set(PROTOCOL_VERSION, facts.protocolVersion);
    } else headers.delete(SESSION_ID);
    return fetch(request.url, { ...request, headers });
  }

  async function isLost(reply: Response): Promise<boolean> {
    const { status } = reply;
    if (status === 404 || reply.ok || !sessionLost) return status === 404;
    return sessionLost({ status, body: await reply.clone().text() });
  }

  /** Asks for no other session for a while. All calls that were turned away together count once. */
  function distrust(cause: unknown): void {
    if (performance.now() < retryAt) return;
    const retryInMs = delayAfter(failures++, backoff);
    retryAt = performance.now() + retryInMs;
    emit({ type: "recovery-failed", cause, retryInMs });
  }

  async function reopen(request: ClientRequest): Promise<Recovery> {
    const since = performance.now();
    const before = [id, facts, generation] as const;
    const { signal } = request;
    const timeout = AbortSignal.timeout(backoff.timeoutMs);
    const limit = AbortSignal.any([timeout, signal ?? timeout]);
    const headers = new Headers(request.headers);
    headers.delete(PROTOCOL_VERSION);
    let reply!: Response;
    let cause: unknown;
    const tell = async (message: Message): Promise<Message | undefined> => {
      reply = await dispatch({ ...request, headers, signal: limit, body: JSON.stringify(message) });
      return reply.ok ? readAnswer(reply, message.id) : undefined;
    };
    try {
      id = null;
      const result = (await tell(opening as Message))?.result;
      if (result) {
        id = reply.headers.get(SESSION_ID);
        facts = { sessionId: id, ...result } as unknown as SessionFacts;
        generation!++;
        await tell({ jsonrpc: "2.0", method: "notifications/initialized" });
        if (reply.ok) {
          // Under the ids that they had: nothing else is sent in the session before these are answered.
          for (const message of standing.values()) {
            if (!(await tell(message))?.result) emit({ type: "restore-failed", message });
          }
          const previous = before[1];
          const changed = changedFacts(previous, facts);
          const downMs = performance.now() - since;
          emit({ type: "reinitialized", previous, current: facts, changed, downMs });
          for (const tellMoved of host.streams) tellMoved(true);
          // A server that keeps no sessions any more loses none.
          if (!id) opening = undefined;
          return true;
        }
      }
    } catch (error) {
      cause = error;
    }
    [id, facts, generation] = before;
    if (signal?.aborted) return undefined;
    if (!cause && /40[13]/.test(`${reply.status}`)) return reply;
    distrust(cause ?? reply);
    return false;
  }

  /** Sends a request, and once more if it was turned away for want of the session. Notifications never go twice. */
  async function exchange(request: ClientRequest, isNotice?: boolean, isSecond?: boolean): Promise<Response> {
    // Whoever comes while a recovery is under way would only be turned away as well. Between the look and
    // the sending there must be no pause: in it, another request may begin one.
    while (recovering) await recovering;
    const sentIn = generation;
    const reply = await dispatch(request);
    if (reply.ok) {
      failures = 0;
      for (const tellAlive of host.streams) tellAlive(false);
    } else if (opening && (await isLost(reply))) {
      if (isSecond) distrust(reply);
      else {
        // Not by the ids: a server may give the one that it forgot once more.
        const isMoved = generation !== sentIn;
        const canReopen = !isMoved && generation !== undefined && performance.now() >= retryAt;
        if (canReopen) recovering ??= reopen(request).finally(() => (recovering = undefined));
        const outcome = isNotice ? empty(202) : await (recovering ?? isMoved);
        if (outcome === false) return reply;
        discard(reply.body);
        if (typeof outcome === "object") return outcome.clone();
        // Where the recovery was aborted with the request that had begun it, this one begins another.
        return exchange(request, isNotice, outcome);
      }
    }
    return reply;
  }

  /** Asks for a stream of the session as it is now. Undefined where another try may fare better, in a new session perhaps. */
  async function get(request: ClientRequest, eventId?: string): Promise<Response | undefined> {
    const before = generation;
    const { signal } = request;
    let reply: Response | undefined;
    while (recovering) await recovering;
    // What a stream knows of a session is good for that session alone.
    if (before === generation) {
      try {
        reply = await dispatch(request, eventId);
        if (opening && (await isLost(reply))) {
          // Servers without a GET route say 404 as well. What every session must answer tells the two apart.
          const ping = await exchange({ ...last, signal, body: PING });
          if (!ping.ok) reply = ping;
          if (await isLost(ping)) return undefined;
        }
        if (before === generation && !isTransient(reply)) return reply;
      } catch {
        signal?.throwIfAborted();
      }
    }
    discard(reply?.body);
    return undefined;
  }

  const host: StreamHost = {
    backoff,
    emit,
    streams: new Set(),
    answered: new Set(),
    generation: () => generation,
    get: (eventId, signal) => get({ ...last, method: "GET", body: undefined, signal }, eventId),
  };

  return {
    async POST(request, messages) {
      last = request;
      const calls = new Map<RequestId, string>();
      for (const { id: call, method } of messages) if (call !== undefined && method) calls.set(call, method);
      const [first] = messages as [Message];
      const { method, params } = first;
      let reply: Response;
      if (method === "initialize") {
        reply = await dispatch(request);
        id = reply.headers.get(SESSION_ID);
        opening = first;
        readAnswer(reply.clone(), first.id).then(
          (answer) => (facts ??= answer?.result && ({ sessionId: id, ...answer.result } as never)),
          () => undefined,
        );
      } else {
        // What is no request was meant for the session that is being replaced.
        if (recovering && !calls.size) return empty(202);
        if (generation && !method) {
          if (!untagAnswer(first, generation)) return empty(202);
          request.body = JSON.stringify(first);
        }
        reply = await exchange(request, !calls.size);
        if (reply.ok) {
          // How a subscription of the stateless era ended is for its client to judge: it listens anew.
          if (method === "subscriptions/listen") return reply;
          const uri = params?.["uri"];
          if (/\/(setLevel|subscribe)$/.test(method as string)) standing.set(uri, first);
          if (method === "resources/unsubscribe") standing.delete(uri);
        }
      }
      return isEventStream(reply)
        ? lastingStream(host, reply, { signal: request.signal, calls, generation })
        : reply;
    },
    async GET(request) {
      last ??= request;
      let eventId = request.headers.get(LAST_EVENT_ID) ?? undefined;
      // Nothing is left of that stream. To SDK clients, 405 says so without noise.
      if (eventId && host.answered.has(eventId)) return empty(405);
      const before = generation;
      let reply = await get(request);
      // The event is one that the server no longer holds, or a dead session's.
      if (eventId && reply?.status === 400) {
        discard(reply.body);
        eventId = reply = undefined;
      }
      // No client tries again where its first GET fails. From here on it is a stream that dropped.
      reply ??= new Response(null, { headers: { "content-type": "text/event-stream" } });
      return isEventStream(reply)
        ? lastingStream(host, reply, { signal: request.signal, eventId, generation: before })
        : reply;
    },
    async DELETE(request) {
      while (recovering) await recovering;
      const before = generation;
      // The server ends the streams before it answers, and they must not bring the session back.
      generation = undefined;
      const reply = await dispatch(request);
      const isGone = await isLost(reply);
      if (!reply.ok && !isGone) generation = before;
      return isGone ? empty(204) : reply;
    },
  };
}
