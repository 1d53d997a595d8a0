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

export interface SessionSettings {
  readonly fetch: FetchLike;
  readonly backoff: Backoff;
  /** Recognises answers other than 404 that say the same. */
  readonly sessionLost?: (reply: ErrorReply) => boolean;
  readonly emit: (event: RecoveryEvent) => void;
}

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
const PING = '{"jsonrpc":"2.0","id":"holdfast","method":"ping"}';

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
    const { status, ok } = reply;
    return status === 404 || (!ok && !!sessionLost?.({ status, body: await reply.clone().text() }));
  }

  /** Asks for no other session for a while. */
  function distrust(cause: unknown): void {
    const retryInMs = delayAfter(failures++, backoff);
    retryAt = performance.now() + retryInMs;
    emit({ type: "recovery-failed", cause, retryInMs });
  }

  async function reopen(request: ClientRequest): Promise<Recovery> {
    const since = performance.now();
    const lostId = id;
    const { signal } = request;
    const timeout = AbortSignal.timeout(backoff.timeoutMs);
    const limit = AbortSignal.any([timeout, signal ?? timeout]);
    let reply: Response | undefined;
    let cause: unknown;
    const headers = new Headers(request.headers);
    headers.delete(PROTOCOL_VERSION);
    const tell = async (message: Message): Promise<Message | undefined> => {
      reply = await dispatch({ ...request, headers, signal: limit, body: JSON.stringify(message) });
      return reply.ok ? readAnswer(reply, message.id) : undefined;
    };
    try {
      id = null;
      const result = (await tell(opening as Message))?.result;
      if (result && reply) {
        id = reply.headers.get(SESSION_ID);
        const previous = facts;
        facts = { sessionId: id, ...result } as unknown as SessionFacts;
        generation!++;
        await tell({ jsonrpc: "2.0", method: "notifications/initialized" });
        if (reply.ok) {
          // Under the ids that they had: nothing else is sent in the session before these are answered.
          for (const message of standing.values()) {
            if (!(await tell(message))?.result) emit({ type: "restore-failed", message });
          }
          const changed = changedFacts(previous, facts);
          emit({
            type: "reinitialized",
            previous,
            current: facts,
            changed,
            downMs: performance.now() - since,
          });
          for (const tellMoved of host.streams) tellMoved(true);
          return true;
        }
      }
    } catch (error) {
      cause = error;
    }
    id = lostId;
    if (signal?.aborted) return undefined;
    if (!cause && /40[13]/.test(`${reply?.status}`)) return reply;
    distrust(cause ?? reply);
    return false;
  }

  /** Sees to it that the session is another than the one called `lostId`. */
  function recover(lostId: string | null, request: ClientRequest): Promise<Recovery> | Recovery {
    if (recovering) return recovering;
    if (id !== lostId) return true;
    if (generation === undefined || !opening || performance.now() < retryAt) return false;
    return (recovering = reopen(request).finally(() => (recovering = undefined)));
  }

  /** Sends a request, and once more if it was turned away for want of the session. Notifications never go twice. */
  async function exchange(request: ClientRequest, isNotice?: boolean, isSecond?: boolean): Promise<Response> {
    // Whoever comes while a recovery is under way would only be turned away as well. Between the look and
    // the sending there must be no pause: in it, another request may begin one.
    while (recovering) await recovering;
    const sentAs = id;
    const reply = await dispatch(request);
    if (reply.ok) {
      failures = 0;
      for (const tellAlive of host.streams) tellAlive(false);
    } else if (sentAs && (await isLost(reply))) {
      if (isSecond) distrust(reply);
      else {
        const recovery = recover(sentAs, request);
        if (isNotice && opening) return empty(202);
        const outcome = await recovery;
        if (outcome instanceof Response) return outcome.clone();
        // Where the recovery was aborted with the request that had begun it, this one begins another.
        if (outcome !== false) {
          discard(reply.body);
          return exchange(request, isNotice, outcome);
        }
      }
    }
    return reply;
  }

  /** Asks for a stream. Undefined where another try may fare better, in a new session perhaps. */
  async function get(request: ClientRequest, eventId?: string): Promise<Response | undefined> {
    while (recovering) await recovering;
    const before = generation;
    const { signal } = request;
    let reply: Response | undefined;
    try {
      reply = await dispatch(request, eventId);
      if (!isTransient(reply)) {
        if (!opening || !(await isLost(reply))) return reply;
        // Servers without a GET route say 404 as well. What every session must answer tells the two apart.
        const ping = await exchange({ ...last, signal, body: PING });
        if (before === generation && !(await isLost(ping))) return ping.ok ? reply : ping;
      }
    } catch {
      signal?.throwIfAborted();
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
      const [first] = messages;
      let reply: Response;
      if (first?.method === "initialize") {
        opening = first;
        reply = await dispatch(request);
        id = reply.headers.get(SESSION_ID);
        readAnswer(reply.clone(), first.id).then(
          (answer) => (facts ??= answer?.result && ({ sessionId: id, ...answer.result } as never)),
          () => undefined,
        );
      } else {
        // What is no request was meant for the session that is being replaced.
        if (recovering && !calls.size) return empty(202);
        if (generation && first && !first.method) {
          if (!untagAnswer(first, generation)) return empty(202);
          request.body = JSON.stringify(first);
        }
        reply = await exchange(request, !calls.size);
        if (reply.ok && first) {
          const { method, params } = first;
          // How a subscription of the stateless era ended is for its client to judge: it listens anew.
          if (method === "subscriptions/listen") return reply;
          if (method === "logging/setLevel" || method === "resources/subscribe")
            standing.set(params?.["uri"], first);
          if (method === "resources/unsubscribe") standing.delete(params?.["uri"]);
        }
      }
      return isEventStream(reply) ? lastingStream(host, request.signal, reply, calls) : reply;
    },
    async GET(request) {
      last ??= request;
      const eventId = request.headers.get(LAST_EVENT_ID) ?? undefined;
      // Nothing is left of that stream. To SDK clients, 405 says so without noise.
      if (eventId && host.answered.has(eventId)) return empty(405);
      const before = generation;
      const reply = await get(request);
      // The event is one that the server no longer holds, or a dead session's.
      const isStale = eventId && reply?.status === 400;
      if (reply && !isEventStream(reply) && !isStale) return reply;
      // No client tries again where its first GET fails. From here on it is a stream that dropped.
      return isStale || before !== generation
        ? lastingStream(host, request.signal)
        : lastingStream(host, request.signal, reply, undefined, eventId);
    },
    async DELETE(request) {
      while (recovering) await recovering;
      const before = generation;
      // The server ends the streams before it answers, and they must not bring the session back.
      generation = undefined;
      const reply = await dispatch(request);
      if (!reply.ok && !(await isLost(reply))) generation = before;
      return generation === undefined ? empty(204) : reply;
    },
  };
}
