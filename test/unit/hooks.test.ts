import { expect, it } from "vitest";
import { eventSink } from "../../src/event-sink.ts";
import type { HoldfastEvent } from "../../src/events.ts";
import { runHook } from "../../src/hooks.ts";

/** What a hook returns, and what is told of it. */
async function outcome(run: () => unknown): Promise<{ returned: unknown; events: HoldfastEvent[] }> {
  const events: HoldfastEvent[] = [];
  const returned = runHook(
    eventSink((event) => void events.push(event), "silent"),
    "rerun",
    run,
  );
  await new Promise((resolve) => setTimeout(resolve));
  return { returned, events };
}

it("a hook that works is passed through, and nothing is told", async () => {
  expect(await outcome(() => 7)).toEqual({ returned: 7, events: [] });
  const resolved = await outcome(async () => 7);
  expect([await resolved.returned, resolved.events]).toEqual([7, []]);
});

it.each([
  [
    "throws",
    () => {
      throw new Error("no");
    },
    "no",
    true,
  ],
  [
    "throws what is no error",
    () => {
      throw "no";
    },
    "no",
    false,
  ],
  ["is rejected", () => Promise.reject(new Error("no")), "no", true],
])("a hook that %s is one event with its stack", async (_, run, message, hasStack) => {
  const { events } = await outcome(run);
  expect(events).toEqual([
    {
      type: "hook.error",
      level: "warn",
      time: expect.any(Number),
      hook: "rerun",
      message,
      stack: hasStack ? (expect.stringContaining("Error: no") as string) : undefined,
    },
  ]);
});
