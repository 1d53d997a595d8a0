/**
 * The stateless era at the edge: the handler answers, and what it streams is carried to the client as
 * every stream is, at the reader's pace and with keepalives.
 * @module
 */
import type { Env } from "hono";
import { DEFAULT_TOPIC } from "../changes.ts";
import { createConnection } from "../edge/connection.ts";
import { messageOf } from "../events.ts";
import { SSE_HEADERS, SSE_TYPE } from "../http/headers.ts";
import { acceptedAnswers } from "../http/negotiate.ts";
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Payload } from "../jsonrpc/messages.ts";
import { frame } from "../sse/frames.ts";
import { join } from "../sse/join.ts";
import type { Admitted, ModernSite, Site } from "./context.ts";

const encoder = new TextEncoder();

/** A stream shows that it is alive at least this often. */
const BEAT_MS = 15_000;

/** Answers a request of 2026-07-28. A session id that it may carry means nothing (C30). */
export async function stateless<E extends Env>(
  site: Site<E>,
  modern: ModernSite<E>,
  admitted: Admitted<E>,
  payload: Payload,
): Promise<Response> {
  const { c, request, caller, headers } = admitted;
  if (acceptedAnswers(request.headers.get("accept")) !== "any") {
    return failed(failures.notAcceptable("application/json and text/event-stream"), headers);
  }
  const topic = caller.topic ?? DEFAULT_TOPIC;
  const { keepaliveIntervalMs } = site.settings;
  const answering = modern.handler.handle({
    request,
    payload,
    caller,
    env: c.env,
    topic,
    beatMs: Math.min(BEAT_MS, keepaliveIntervalMs || BEAT_MS),
    bus: site.hub?.bus(topic),
    onError: (error) => site.settings.emit("request.error", { method: "POST", message: messageOf(error) }),
  });
  // A call that is still running when a keepalive is due becomes a stream: proxies cut what is silent.
  const answer = await within(answering, keepaliveIntervalMs);
  if (answer !== undefined && !isStream(answer)) return withHeaders(answer, headers);
  const body = carry(modern, request, answer ?? answering, site.settings.maxStoredBytes);
  return new Response(body, { headers: { ...headers, ...SSE_HEADERS } });
}

/**
 * Carries the handler's stream to the client. When the connection is over, whatever ended it, the
 * handler's body is cancelled, and with it the call (C9: closing the stream is cancellation).
 */
function carry<E extends Env>(
  { settings }: ModernSite<E>,
  request: Request,
  answering: Response | Promise<Response>,
  limit: number,
): ReadableStream<Uint8Array> {
  const connection = createConnection({
    id: crypto.randomUUID(),
    sessionId: undefined,
    settings,
    signal: request.signal,
    onAlive() {},
  });
  let queue: Uint8Array[] = [];
  let waiting = 0;
  let writing: Promise<void> | undefined;

  /** What came while the client was taking what came before goes out in one. */
  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const bytes = join(queue);
      queue = [];
      waiting = 0;
      await connection.write(bytes);
    }
    writing = undefined;
  };

  const write = (bytes: Uint8Array): void => {
    queue.push(bytes);
    waiting += bytes.length;
    // The handler does not wait for its reader, so what waits here is bounded. Nothing can be resumed in
    // this era: the client asks again.
    if (waiting > limit) return connection.end("overflow");
    writing ??= drain();
    writing.catch(() => {});
  };

  const run = async (): Promise<void> => {
    const answer = await answering;
    if (!isStream(answer)) write(encoder.encode(frame({ event: "message", data: await answer.text() })));
    else {
      const reader = answer.body.getReader();
      void connection.ended.then(() => reader.cancel().catch(() => {}));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        write(value);
      }
    }
    await writing;
  };
  run().then(
    () => connection.end("done"),
    () => connection.end("lost"),
  );
  return connection.readable;
}

function isStream(response: Response): response is Response & { readonly body: ReadableStream<Uint8Array> } {
  return response.body !== null && response.headers.get("content-type") === SSE_TYPE;
}

function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** What the promise brings within `ms`, or undefined; 0 waits as long as it takes. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms === 0) return promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
