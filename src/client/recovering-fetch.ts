/**
 * A `fetch` that recovers for clients that cannot.
 *
 * No official client opens a session anew when the server has lost it, and each loses calls or streams
 * when a connection drops. Both can be mended underneath any client that takes a custom `fetch`:
 *
 * ```ts
 * new StreamableHTTPClientTransport(url, { fetch: recoveringFetch() });
 * ```
 *
 * - A 404 for a request that carried a session id opens the session anew, once for all requests that
 *   meet it, and sends each of them again. A 404 says that nothing was executed, so this is safe; what
 *   was accepted is never sent twice.
 * - The answer to a POST, and the standalone stream, go on across dropped connections.
 * - A call whose answer can no longer come gets a JSON-RPC error instead of silence.
 *
 * Everything else passes through untouched: other URLs, the stateless era, HTTP+SSE, and requests made as
 * `Request` objects, which MCP clients do not make.
 * @module
 */
import { type Backoff, resolveBackoff } from "./backoff.ts";
import { type ClientSession, createSession, type ErrorReply } from "./client-session.ts";
import { emitter, type RecoveryHooks } from "./recovery-events.ts";
import { ANYTHING, checkGiven, FUNCTION, type Kind } from "../setup.ts";
import { type FetchLike, messagesIn, SESSION_ID } from "./wire.ts";

/** All optional. */
export interface RecoveringFetchOptions extends RecoveryHooks {
  /** What sends the requests. Default: the global `fetch`, looked up at each call. */
  fetch?: FetchLike;
  /** Pace of attempts, to resume a stream and to open a session anew, and how many may fail in a row. */
  retry?: Partial<Backoff>;
  /**
   * Recognises the answers of servers that do not say 404 when they have lost a session. Asked about
   * error answers to requests with a session id; see `lostAs400`. Default: none is recognised.
   */
  sessionLost?: (reply: ErrorReply) => boolean;
}

/** Each option, and what it must be. */
export const KINDS: Required<Record<keyof RecoveringFetchOptions, Kind>> = {
  fetch: FUNCTION,
  // Its fields are looked at where its defaults are filled in.
  retry: ANYTHING,
  sessionLost: FUNCTION,
  onReinitialized: FUNCTION,
  onEvent: FUNCTION,
};

/**
 * Wraps `fetch`. The result may serve any number of clients and servers: sessions are told apart.
 * @throws {TypeError} naming an option that there is not, or that is of another kind
 * @throws {RangeError} naming the option that is out of bounds
 */
export function recoveringFetch(options: RecoveringFetchOptions = {}): FetchLike {
  checkGiven("recoveringFetch", options, KINDS);
  return recovering(options);
}

/** The same, for what has checked its options. */
export function recovering(options: RecoveringFetchOptions): FetchLike {
  const fetch: FetchLike = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const settings = {
    ...options,
    fetch,
    backoff: resolveBackoff(options.retry),
    emit: emitter(options),
  };
  /** By every id that a client was shown: SDK v2 keeps the first for ever, v1 adopts that of the last response. */
  const sessions = new Map<string, ClientSession>();

  return async function recoveringFetch(input, init) {
    const headers = new Headers(init?.headers);
    const method = init?.method ?? "GET";
    const messages = messagesIn(init?.body);
    // A session is asked for without an id (2025-11-25, transports, "Session Management").
    const id = messages[0]?.method === "initialize" ? null : headers.get(SESSION_ID);
    const session = (id && sessions.get(id)) || createSession(settings, id);
    const handle = (method === "POST" ? messages[0] : id) && session[method as keyof ClientSession];
    if (!handle) return fetch(input, init);
    const reply = await handle({ ...init, url: input as string | URL, headers }, messages);
    // A refusal that names an id, such as a 404 with a successor's, names a session of its own.
    for (const shown of [id, reply.ok && reply.headers.get(SESSION_ID)]) {
      if (!shown) continue;
      sessions.delete(shown);
      sessions.set(shown, session);
    }
    // Clients live for weeks, and every session leaves an id behind. The least recently used one goes.
    if (sessions.size > 999) sessions.delete(sessions.keys().next().value as string);
    return reply;
  };
}
