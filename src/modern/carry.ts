/**
 * Carries an answer of the stateless era to its client: as JSON where it is one and comes in time, else
 * as a stream, at the reader's pace and with keepalives.
 * @module
 */
import { createConnection } from "../edge/connection.ts";
import { atExpiry } from "../expiry.ts";
import type { ModernCall } from "../host.ts";
import { SSE_HEADERS, SSE_TYPE } from "../http/headers.ts";
import { frame } from "../sse/frames.ts";
import { join } from "../sse/join.ts";

export interface Carried extends Pick<ModernCall, "request" | "settings"> {
  /** What the client has shown, where the stream is to end with it. A call in flight had it when it was made. */
  readonly endsWith?: unknown;
}

const encoder = new TextEncoder();

/** The response to send. */
export async function carry(call: Carried, answering: Promise<Response>): Promise<Response> {
  // A call that is still running when a keepalive is due becomes a stream: proxies cut what is silent.
  const answer = await within(answering, call.settings.keepaliveIntervalMs);
  if (answer !== undefined && !isStream(answer)) return answer;
  return new Response(stream(call, answer ?? answering), { headers: SSE_HEADERS });
}

/**
 * When the connection is over, whatever ended it, the answer's body is cancelled, and with it the call
 * (C9: closing the stream is cancellation).
 */
function stream(
  { request, settings, endsWith }: Carried,
  answering: Response | Promise<Response>,
): ReadableStream<Uint8Array> {
  const connection = createConnection({
    id: crypto.randomUUID(),
    sessionId: undefined,
    // This era's streams carry no requests and no events of other types.
    settings: { ...settings, keepaliveMode: "comment" },
    signal: request.signal,
    onAlive() {},
  });
  const forget = atExpiry(endsWith, () => connection.end("expired"));
  void connection.ended.then(forget);
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
    // The SDK does not wait for its reader, so what waits here is bounded. Nothing can be resumed in
    // this era: the client asks again.
    if (waiting > settings.maxStoredBytes) return connection.end("overflow");
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
