/**
 * An event stream that outlives its connections.
 *
 * The client reads one body. Underneath, connections come and go: each that ends before its work is
 * done is followed by a GET with the last event id, at the pace that the server asked for. So none of
 * what the SDK clients get wrong on a drop can happen: an event id is not lost when a resumed stream
 * ends empty, no call is left hanging, no stream goes deaf after two attempts.
 *
 * Frames are parsed and written anew, whole: half a frame of a dead connection followed by the first
 * bytes of its successor would make one corrupt frame of two good ones.
 * @module
 */
import { createParser } from "eventsource-parser";
import type { RequestId } from "../jsonrpc/messages.ts";
import { type Backoff, delayAfter } from "./backoff.ts";
import type { RecoveryEvent } from "./recovery-events.ts";
import { tagQuestion } from "./server-questions.ts";
import { discard, isEventStream, messagesIn, readText } from "./wire.ts";

/** A connection that lasted this long, in milliseconds, is none of a failing server's, though it brought nothing. */
const STEADY_MS = 10_000;

/** What a stream needs of its session. */
export interface StreamHost {
  readonly backoff: Backoff;
  readonly emit: (event: RecoveryEvent) => void;
  /** How often the session was opened anew; undefined once the client has ended it. */
  generation(): number | undefined;
  /** The server's answer to a GET in this session; undefined where another try may fare better, in a new session perhaps. */
  get(eventId: string | undefined, signal: AbortSignal): Promise<Response | undefined>;
  /** Streams to be told when the session was opened anew (true), or when a request succeeded (false). */
  readonly streams: Set<(moved: boolean) => void>;
  /** Last event ids of calls that were answered. */
  readonly answered: Set<string>;
}

/** What the client wants of the stream. */
export interface Wanted {
  /** The client's own. */
  readonly signal: AbortSignal | null | undefined;
  /** Methods of the requests that the stream must answer, by id; undefined for the standalone stream, which never ends by itself. */
  readonly calls?: Map<RequestId, string> | undefined;
  /** Where the client wants to go on from. */
  readonly eventId?: string | undefined;
  /** Of the session that all of this belongs to; undefined once the client has ended it. */
  readonly generation: number | undefined;
}

/**
 * The response for the client in place of `first`, whose body is an event stream. Where it has none, the
 * stream begins with the search for a connection.
 */
export function lastingStream(host: StreamHost, first: Response, wanted: Wanted): Response {
  const { signal } = wanted;
  let { calls, eventId, generation } = wanted;
  const { backoff, emit } = host;
  const stream = calls ? "call" : "standalone";
  const life = new AbortController();
  let reader: ReadableStreamDefaultReader<string> | undefined;
  /** Ends the wait under way. */
  let wake: (() => void) | undefined;
  let parked = false;
  /** The server's wish, where it has one. */
  let retryMs = NaN;
  /** Connections and attempts in a row that brought nothing. The first connection may be an idle one. */
  let failures = first.body ? -1 : 0;
  /**
   * The least that a server may wish for: 100 ms, doubled with each connection up to 3.2 s until one brings a
   * message. An event to resume from is none. It may still have its client poll for a result.
   */
  let pace = 50;

  const stop = (): void => {
    life.abort(signal?.reason);
    wake?.();
    discard(reader);
    host.streams.delete(told);
  };
  const told = (moved: boolean): void => {
    // A call's connection to the dead session is left alone: its server may still be at work on it.
    if (moved && !calls) discard(reader);
    if (moved || parked) wake?.();
  };

  /** The next connection, or why there will be none. */
  async function reconnect(): Promise<Response | string> {
    const since = performance.now();
    let moved = false;
    for (let attempts = 1; ; attempts++) {
      if (calls && !eventId) return "no event id";
      // Into a new session it goes at once, but only once: each GET may itself find that session lost.
      if (moved || generation === host.generation()) {
        parked = failures >= backoff.attempts;
        if (parked && calls) return "no connection";
        if (parked) emit({ type: "parked", stream });
        let timer: ReturnType<typeof setTimeout> | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (!parked) timer = setTimeout(resolve, delayAfter(failures, backoff, Math.max(retryMs, pace)));
        });
        clearTimeout(timer);
        parked = false;
        life.signal.throwIfAborted();
      }
      if (generation !== host.generation()) {
        generation = host.generation();
        if (calls || generation === undefined) return "no session";
        moved = true;
        // Event ids are the dead session's own.
        eventId = undefined;
      }
      const reply = await host.get(eventId, life.signal);
      if (reply && isEventStream(reply)) {
        emit({ type: "resumed", stream, attempts, downMs: performance.now() - since, eventId });
        return reply;
      }
      failures++;
      if (reply?.status === 400 && eventId && !calls) {
        emit({ type: "gap", stream, eventId });
        eventId = undefined;
      } else if (reply) return `HTTP ${reply.status}`;
    }
  }

  async function* run(): AsyncGenerator<string> {
    let body = first.body;
    try {
      for (;;) {
        if (body) {
          let frames = "";
          let cause: unknown;
          const since = performance.now();
          const parser = createParser({
            onId(id) {
              eventId = id;
            },
            onRetry(ms) {
              retryMs = ms;
            },
            onEvent({ data, id, event }) {
              const messages = messagesIn(data);
              for (const message of messages) {
                // On a GET, a response says that it resumed a call.
                if (!message.method) (calls ??= new Map()).delete(message.id as RequestId);
                else if (!messages[1]) data = tagQuestion(data, message, generation);
              }
              if (data) pace = 50;
              if (event) frames += `event: ${event}\n`;
              if (id !== undefined) frames += `id: ${id}\n`;
              frames += `data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
            },
          });
          reader = readText(body);
          try {
            for (let next; !(next = await reader.read()).done;) {
              parser.feed(next.value);
              if (frames) {
                failures = -1;
                yield frames;
                frames = "";
              }
              if (calls?.size === 0) return;
            }
          } catch (error) {
            cause = error;
          }
          discard(reader);
          life.signal.throwIfAborted();
          if (!calls && host.generation() === undefined) return;
          emit({ type: "dropped", stream, cause });
          if (performance.now() - since > STEADY_MS) failures = -1;
          if (pace < 2000) pace *= 2;
          failures++;
        }
        const next = await reconnect();
        if (typeof next !== "string") body = next.body;
        else if (calls) {
          emit({ type: "interrupted", ids: [...calls.keys()], reason: next });
          for (const [id, method] of calls) {
            const error = {
              code: -32603,
              message: `Connection lost before the answer (${next})`,
              // What only reads may simply be sent again.
              data: { reason: "interrupted", retryable: /\/(list|get|read|complete)$/.test(method) },
            };
            yield `data: ${JSON.stringify({ jsonrpc: "2.0", id, error })}\n\n`;
          }
          return;
        }
        // The client's transport decides what follows: it can get new credentials, if they are missing.
        else if (generation !== undefined) throw new Error(next);
        else return;
      }
    } finally {
      stop();
      // SDK 1.x asks once more for a call that was answered with an error.
      if (calls && eventId) {
        if (host.answered.size > 99) host.answered.clear();
        host.answered.add(eventId);
      }
    }
  }

  host.streams.add(told);
  signal?.addEventListener("abort", stop, { signal: life.signal });
  if (signal?.aborted) stop();
  const frames = run();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { done, value } = await frames.next();
        if (done) controller.close();
        else controller.enqueue(new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>);
      },
      cancel: stop,
    },
    // Reading ahead would take events off the connection that the client has no room for.
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: first.headers });
}
