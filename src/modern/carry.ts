/**
 * Carries an answer of the stateless era to its client: as JSON where it is one and comes in time, else
 * as a stream, at the reader's pace and with keepalives.
 * @module
 */
import { createLiveStream } from "../edge/live.ts";
import { atExpiry } from "../expiry.ts";
import type { StatelessCall } from "../host.ts";
import { SSE_HEADERS, SSE_TYPE } from "../http/headers.ts";
import { BEGINS_AFTER_MS } from "../http/quirks.ts";
import { json } from "../http/respond.ts";
import { isRequest } from "../jsonrpc/messages.ts";
import { wellFormed } from "../jsonrpc/wire.ts";
import { frame } from "../sse/frames.ts";
import { within } from "../within.ts";
import type { CallEnd } from "./call-end.ts";
import type { SeenCall } from "./seen.ts";
import { createHeartbeats } from "./heartbeats.ts";

/** Whose answer it is. */
export interface Carried extends Pick<StatelessCall, "request" | "payload" | "settings"> {
  /** What the client has shown, where the stream is to end with it. A call in flight had it when it was made. */
  readonly endsWith?: unknown;
  /** Hears what becomes of the answer. */
  readonly seen: Pick<SeenCall, "left" | "over">;
}
type End = Pick<CallEnd, "instead" | "watch" | "stop">;

const encoder = new TextEncoder();

/** The response to send. `end` is asked for what to answer in the server's place, and told when the call is over. */
export async function carry(call: Carried, answering: Promise<Response>, end: End): Promise<Response> {
  const first = Promise.race([answering, end.instead.then((body) => json(body))]);
  try {
    const answer = await within(first, BEGINS_AFTER_MS);
    if (answer === undefined || isStream(answer)) {
      return new Response(stream(call, answer ?? first, end), { headers: SSE_HEADERS });
    }
    end.stop();
    call.seen.left(answer.status);
    return answer;
  } catch (error) {
    end.stop();
    call.seen.left(500);
    throw error;
  }
}

/**
 * When the connection is over, whatever ended it, the answer's body is cancelled, and with it the call
 * (C9: closing the stream is cancellation).
 */
function stream(
  { request, payload, settings, endsWith, seen }: Carried,
  answering: Response | Promise<Response>,
  end: End,
): ReadableStream<Uint8Array> {
  const live = createLiveStream(settings, request.signal);
  const forget = atExpiry(endsWith, () => live.end("expired"));
  void live.ended.then(forget);
  let isAnswered = false;

  const write = async (bytes: Uint8Array): Promise<void> => {
    if (!isAnswered) await live.write(bytes);
  };
  const writeMessage = (data: string): Promise<void> =>
    write(encoder.encode(frame({ event: "message", data })));

  const call = payload.messages.find(isRequest);
  const isListening = call?.method === "subscriptions/listen";
  // A listener has been heard of by all before it was acknowledged.
  if (isListening) void end.watch?.ended.then(() => live.end("deleted"));
  else end.watch?.everywhere().catch(() => {});
  const heartbeats = createHeartbeats(
    isListening ? undefined : call,
    settings.progressHeartbeatMs,
    (json) => void writeMessage(json).catch(() => {}),
  );

  const run = async (): Promise<void> => {
    const answer = await answering;
    if (!isStream(answer)) await writeMessage(wellFormed(await answer.text()));
    else {
      const reader = answer.body.getReader();
      void live.ended.then(() => reader.cancel().catch(() => {}));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        write(heartbeats.pass(value)).catch(() => {});
      }
    }
    await live.finish();
  };
  void live.ended.then((reason) => {
    end.stop();
    heartbeats.stop();
    seen.over(reason);
  });
  // The last word, whatever the server still says: its own end of the stream is being closed.
  void end.instead.then((data) => {
    writeMessage(data).catch(() => {});
    isAnswered = true;
  });
  run().catch(() => live.end("lost"));
  return live.readable;
}

function isStream(response: Response): response is Response & { readonly body: ReadableStream<Uint8Array> } {
  return response.body !== null && response.headers.get("content-type") === SSE_TYPE;
}
