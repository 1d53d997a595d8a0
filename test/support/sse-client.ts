/**
 * An SSE connection as a client that may misbehave holds it: it reads by itself, stops reading when told,
 * and leaves after any byte, in the middle of a frame if need be. It runs in Node and inside workerd alike.
 * (`sse.ts` is for tests that go item by item at their own pace.)
 * @module
 */
import { createParser } from "eventsource-parser";

export interface SseMessage {
  /** The `id:` on this very frame; undefined where the frame had none. */
  readonly id: string | undefined;
  readonly data: string;
}

/** Open; or over: ended by the server as HTTP ends a body, broken off, or left by the client. */
export type SseState = "open" | "ended" | "broken" | "left";

export interface SseConnection {
  readonly response: Response;
  readonly state: SseState;
  /** True once the client has told how many bytes it will still take. */
  readonly isLeaving: boolean;
  /** Everything dispatched so far, in order. */
  readonly messages: readonly SseMessage[];
  readonly comments: readonly string[];
  /** What the client would send as `Last-Event-ID`. */
  readonly lastEventId: string | undefined;
  /** Bytes taken so far. */
  readonly bytes: number;
  /** Resolves once it is over. */
  readonly over: Promise<SseState>;
  /** Stops reading; the connection stays. */
  pause(): void;
  resume(): void;
  /** Leaves at once, or after this many further bytes; whatever comes after them is not read. */
  leave(afterBytes?: number): void;
  /** Waits until `isMet`, asked again whenever something came or the connection is over. Rejects after `ms`. */
  until(isMet: () => boolean, what: string, ms?: number): Promise<void>;
}

/** @param abort ends the request, as a client that goes away does */
export function connectSse(response: Response, abort: () => void): SseConnection {
  const messages: SseMessage[] = [];
  const comments: string[] = [];
  const decoder = new TextDecoder();
  let state: SseState = "open";
  let lastEventId: string | undefined;
  let bytes = 0;
  let budget = Infinity;
  let resumed: Promise<void> | undefined;
  let resume: () => void = () => {};
  let waiting: (() => void)[] = [];
  let settle: (how: SseState) => void = () => {};
  const over = new Promise<SseState>((resolve) => (settle = resolve));

  const parser = createParser({
    onEvent({ id, data }) {
      lastEventId = id ?? lastEventId;
      messages.push({ id, data });
    },
    onComment: (text) => comments.push(text),
  });

  const notify = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };

  const end = (how: SseState): void => {
    if (state !== "open") return;
    state = how;
    resume();
    notify();
    settle(how);
    if (how === "left") abort();
  };

  const read = async (): Promise<void> => {
    const reader = response.body?.getReader();
    for (;;) {
      await resumed;
      if (state !== "open") return;
      const chunk = await reader?.read();
      // A client that has left or stopped reading has not seen what arrives after that.
      await resumed;
      if (state !== "open") return;
      if (chunk?.value === undefined) return end("ended");
      const taken = chunk.value.subarray(0, budget);
      budget -= taken.length;
      bytes += taken.length;
      parser.feed(decoder.decode(taken, { stream: true }));
      if (budget === 0) end("left");
      notify();
    }
  };
  read().catch(() => end("broken"));

  return {
    response,
    messages,
    comments,
    over,
    get state() {
      return state;
    },
    get isLeaving() {
      return budget !== Infinity;
    },
    get lastEventId() {
      return lastEventId;
    },
    get bytes() {
      return bytes;
    },
    pause() {
      resumed ??= new Promise((resolve) => {
        resume = () => {
          resumed = undefined;
          resolve();
        };
      });
    },
    resume: () => resume(),
    leave(afterBytes = 0) {
      if (afterBytes === 0) end("left");
      else budget = Math.min(budget, afterBytes);
    },
    async until(isMet, what, ms = 10_000) {
      const bound = Date.now() + ms;
      while (!isMet()) {
        const left = bound - Date.now();
        if (left <= 0 || state !== "open") {
          const when = left <= 0 ? `within ${ms} ms` : `before the connection was ${state}`;
          throw new Error(`${what}: not ${when}, after ${messages.length} events and ${bytes} bytes`);
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          waiting.push(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    },
  };
}
