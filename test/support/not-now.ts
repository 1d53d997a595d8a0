/** What requests are told that only came at the wrong moment. @module */
import { expect } from "vitest";
import type { Message } from "./messages.ts";

/** The error under one request's id, with the time to come again. */
export const notNow = (id: Message["id"], retryAfterMs: number = 1000): unknown => ({
  jsonrpc: "2.0",
  id,
  error: { code: -32000, message: expect.any(String) as string, data: { retryAfterMs } },
});

/** Asserts an answer that no client takes for its end: HTTP 200, and the error in it. */
export async function expectNotNow(
  response: Response,
  id: Message["id"],
  retryAfterMs?: number,
): Promise<void> {
  expect([response.status, response.headers.get("retry-after")]).toEqual([200, null]);
  expect(await response.json()).toEqual(notNow(id, retryAfterMs));
}
