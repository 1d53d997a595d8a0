/** What tests of interrupted calls share. @module */
import { expect } from "vitest";
import type { EventStream } from "./sse.ts";

/** Longer than any test. */
export const LONG = { ms: 600_000 };

/** What an interrupted call gets, as a matcher. */
export function interrupted(id: unknown, retryable = false): unknown {
  return {
    jsonrpc: "2.0",
    id,
    error: {
      code: -32603,
      message: expect.stringContaining("interrupted") as string,
      data: { reason: "interrupted", retryable },
    },
  };
}

/** Reads until an event carries an id: from then on the stream can be resumed. */
export async function resumable(stream: EventStream): Promise<string> {
  for (;;) {
    const item = await stream.next();
    if (stream.lastEventId !== undefined) return stream.lastEventId;
    if (item === undefined) throw new Error(`the stream ended without an event id: ${stream.text}`);
  }
}
