/** Options of recovery that cannot be meant are refused at once. */
import { expect, test } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";

test.each([
  ["retry.attempts", { retry: { attempts: -1 } }],
  ["retry.initialDelayMs", { retry: { initialDelayMs: Number.NaN } }],
  ["retry.maxDelayMs", { retry: { maxDelayMs: -5 } }],
  ["retry.timeoutMs", { retry: { timeoutMs: -5 } }],
  ["retry.jitter", { retry: { jitter: -0.1 } }],
  ["retry.timeoutMs", { retry: { timeoutMs: Infinity } }],
  ["retry.initialDelayMs", { retry: { initialDelayMs: 2 ** 31 } }],
])("%s is checked when the fetch is made", (name, options) => {
  expect(() => recoveringFetch(options)).toThrow(new RangeError(`${name} must be from 0 to 2147483647`));
});
