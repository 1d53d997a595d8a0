/**
 * Carries an answer of the stateless era to its client: as JSON where it is one and comes in time, else
 * as a stream, at the reader's pace and with keepalives.
 * @module
 */
import { createLiveStream } from "../edge/live.ts";
import type { StatelessCall } from "../host.ts";
import { SSE_HEADERS, SSE_TYPE } from "../http/headers.ts";
import { frame } from "../sse/frames.ts";

type Carried = Pick<StatelessCall, "request" | "settings">;

/**
 * How long a call may be silent before its stream begins. Clients take a connection that breaks before the
 * head of its answer for the end of the server (openai-agents, Python: python-sdk#3560, #915), and proxies
 * hold a call by its first bytes.
 */
const BEGINS_AFTER_MS = 300;

const encoder = new TextEncoder();

/** The response to send. */
export async function carry(call: Carried, answering: Promise<Response>): Promise<Response> {
  const answer = await within(answering, BEGINS_AFTER_MS);
  if (answer !== undefined && !isStream(answer)) return answer;
  return new Response(stream(call, answer ?? answering), { headers: SSE_HEADERS });
}

/**
 * When the connection is over, whatever ended it, the answer's body is cancelled, and with it the call
 * (C9: closing the stream is cancellation).
 */
function stream(
  { request, settings }: Carried,
  answering: Response | Promise<Response>,
): ReadableStream<Uint8Array> {
  const live = createLiveStream(settings, request.signal);
  const run = async (): Promise<void> => {
    const answer = await answering;
    if (!isStream(answer)) {
      await live.write(encoder.encode(frame({ event: "message", data: await answer.text() })));
    } else {
      const reader = answer.body.getReader();
      void live.ended.then(() => reader.cancel().catch(() => {}));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        void live.write(value);
      }
    }
    await live.finish();
  };
  run().catch(() => live.end("lost"));
  return live.readable;
}

function isStream(response: Response): response is Response & { readonly body: ReadableStream<Uint8Array> } {
  return response.body !== null && response.headers.get("content-type") === SSE_TYPE;
}

/** What the promise brings within `ms`, or undefined. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
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
