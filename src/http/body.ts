/**
 * Reads the bodies of requests: each within its limit, which is kept while reading and not by header alone,
 * and within its time; all together within a budget, so that many at once do not take the memory either.
 * @module
 */
import { createBudget } from "../budget.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Settings } from "../options.ts";
import { type Within, within } from "../within.ts";

/** Why a body was not read. */
export type Refused = { readonly failure: failures.Failure };

/** Reads bodies within one budget. */
export interface BodyReader {
  /**
   * Reads the body and hands its text to `use`. Its bytes count as in flight until that has returned.
   * @param limit bytes
   * @returns what `use` made of it, or why it was not read: 408, 413 or 503, or 400 for what is not UTF-8
   */
  read<T>(request: Request, limit: number, use: (text: string) => T): Promise<T | Refused>;
}

/** A body up to this size counts as small. Those find room where large ones find none. */
const SMALL = 65_536;
/** How much of the budget large bodies may take together: a few slow uploads must not turn everybody's calls away. */
const LARGE_SHARE = 0.75;

/** Without state between whole texts: one serves all. */
const whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

type Read = { readonly text: string } | Refused;
type Limits = Pick<Settings, "bodyTimeoutMs" | "maxBodyBytes" | "maxBodyBytesInFlight">;

/**
 * One for all requests of an isolate or process.
 * @param inTime what gives a body its time; by itself each has a timer of its own
 */
export function createBodyReader(
  { bodyTimeoutMs, maxBodyBytes, maxBodyBytesInFlight }: Limits,
  inTime: Within = (promise) => within(promise, bodyTimeoutMs),
): BodyReader {
  const all = createBudget(maxBodyBytesInFlight);
  const large = createBudget(Math.max(maxBodyBytesInFlight * LARGE_SHARE, maxBodyBytes));

  /** Room for `bytes` in place of `held`, which is kept where there is none. */
  const resize = (held: number, bytes: number): boolean => {
    const more = largePart(bytes) - largePart(held);
    if (!large.take(more)) return false;
    if (all.take(bytes - held)) return true;
    large.give(more);
    return false;
  };
  const largePart = (bytes: number): number => (bytes > SMALL ? bytes : 0);

  return {
    async read(request, limit, use) {
      const header = request.headers.get("content-length");
      const announced = Number(header ?? 0);
      if (announced > limit) return { failure: failures.bodyTooLarge(limit) };
      let held = 0;
      /** Counts the body as this large; false where there is no room for it. */
      const hold = (bytes: number): boolean => {
        if (bytes <= held) return true;
        if (!resize(held, bytes)) return false;
        held = bytes;
        return true;
      };
      // What is announced is room that the runtime makes: it is taken before the first byte is read.
      if (announced > 0 && !hold(announced)) return { failure: failures.tooManyBodies };
      // Without a look at `body`: where a server makes it on demand, that costs more than all the rest. A
      // large one is read chunk by chunk all the same: what has come of it can be let go of when its time is up.
      // A small one needs no such end, and an abort for each call is a tenth of a call on Node (a `DOMException`).
      const stop = header !== null && announced <= SMALL ? undefined : new AbortController();
      try {
        const reading =
          stop === undefined
            ? readWhole(request, limit)
            : readChunks(request, limit, { hold, signal: stop.signal });
        const read = await inTime(reading);
        if (read === undefined) return { failure: failures.bodyTimeout(bodyTimeoutMs) };
        return "failure" in read ? read : use(read.text);
      } finally {
        stop?.abort();
        large.give(largePart(held));
        all.give(held);
      }
    },
  };
}

/**
 * HTTP holds a body to its announced length, so it can be taken at once: far cheaper than chunk by chunk.
 * `text()` would be cheaper still, by a fiftieth of a call, but it puts U+FFFD where bytes are not UTF-8, and such a
 * message could no longer be told from one that has a U+FFFD in it.
 */
async function readWhole(request: Request, limit: number): Promise<Read> {
  let bytes: ArrayBuffer;
  try {
    bytes = await request.arrayBuffer();
  } catch {
    // Cut off on the way, which nobody is there to hear of, or read by somebody else.
    return { failure: failures.noBody };
  }
  if (bytes.byteLength > limit) return { failure: failures.bodyTooLarge(limit) };
  try {
    return { text: whole.decode(bytes) };
  } catch {
    return { failure: failures.parseError };
  }
}

interface Reading {
  /** Counts the bytes that have come; false where they are too many for all. */
  readonly hold: (bytes: number) => boolean;
  readonly signal: AbortSignal;
}

async function readChunks({ body }: Request, limit: number, { hold, signal }: Reading): Promise<Read> {
  if (body === null) return { text: "" };
  const reader = body.getReader();
  const cancel = (): void => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode() };
      bytes += value.length;
      if (bytes > limit) return { failure: failures.bodyTooLarge(limit) };
      if (signal.aborted || !hold(bytes)) return { failure: failures.tooManyBodies };
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // Not UTF-8, or cut off on the way: either way it is not a JSON text.
    return { failure: failures.parseError };
  } finally {
    // The rest is for whoever answers.
    reader.releaseLock();
  }
}
