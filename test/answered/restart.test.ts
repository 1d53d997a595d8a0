/** How long a call may run counts from its beginning, whatever restarts in between. */
import { expect, onTestFinished, test, vi } from "vitest";
import { freshFile, served } from "../local/served.ts";
import { openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { resumable } from "../support/interrupted.ts";
import { eventually } from "../support/wait.ts";
import { createWaywardServer } from "../support/wayward-server.ts";

test.each([
  { awayMs: 500_000, end: "still runs" },
  { awayMs: 1_100_000, end: "is over" },
])("a call that may run again, $awayMs ms after it began, $end", async ({ awayMs, end }) => {
  vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const options = {
    database: freshFile(),
    createServer: () => createWaywardServer("2"),
    rerun: () => true,
    maxCallMs: 1_000_000,
    messageTtlMs: 10_000_000,
  };
  const first = await served(options);
  const session = await openSession(first.url);
  const call = toolCall("wayward", { act: "never" });
  const stream = await session.stream(call);
  const lastEventId = await resumable(stream);
  await first.close();

  vi.useFakeTimers({ toFake: ["Date"], shouldAdvanceTime: true });
  vi.setSystemTime(Date.now() + awayMs);
  const second = await served(options);
  const headers = { ...session.headers, Accept: "text/event-stream", "Last-Event-ID": lastEventId };
  const resumed = await fetch(`${second.url}/mcp`, { headers });
  const timeouts = (): object[] => second.events.filter(({ type }) => type === "call.failed");
  if (end === "is over") {
    expect(await resumed.text()).toContain('"data":{"reason":"timeout"}');
    expect(second.events.filter(({ type }) => type === "session.rehydrated")).toEqual([]);
    return;
  }
  await eventually(() =>
    expect(second.events.filter(({ type }) => type === "session.rehydrated")).toHaveLength(1),
  );
  expect(timeouts()).toEqual([]);
  // Begun anew, it has half of its time left, not the whole.
  vi.setSystemTime(Date.now() + 500_000);
  await second.close();
  const third = await served(options);
  const again = await fetch(`${third.url}/mcp`, { headers });
  expect(await again.text()).toContain('"data":{"reason":"timeout"}');
});
