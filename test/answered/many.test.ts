/** Two thousand sessions, each with a call that its server never answers and its client has left: all go, with what they held. */
import { expect, onTestFinished, test, vi } from "vitest";
import { createLocalMcp, type LocalMcp } from "../../src/local/index.ts";
import { open } from "../local/served.ts";
import { toolCall } from "../support/messages.ts";
import { createWaywardServer } from "../support/wayward-server.ts";

const SESSIONS = 2000;
const TTL_MS = 600_000;
const TOMBSTONE_MS = 3_600_000;

/** Opens them, with a call each whose client reads the head and leaves; what is left of their servers. */
async function abandoned(mcp: LocalMcp, accept: string): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < SESSIONS; n++) {
    const id = await open(mcp);
    ids.push(id);
    const leave = new AbortController();
    const headers = { "Content-Type": "application/json", Accept: accept, "Mcp-Session-Id": id };
    const body = JSON.stringify(toolCall("wayward", { act: "never" }));
    const request = mcp.router.request("/mcp", { method: "POST", headers, body, signal: leave.signal });
    if (accept.includes("event-stream")) {
      await vi.advanceTimersByTimeAsync(100);
      await (await request).body?.cancel();
    }
    leave.abort();
  }
  return ids;
}

test.each(["application/json, text/event-stream", "application/json"])(
  "that accept %s",
  async (accept) => {
    vi.useFakeTimers();
    vi.spyOn(console, "log").mockImplementation(() => {});
    let alive = 0;
    const mcp = createLocalMcp({
      createServer: () => {
        alive += 1;
        return createWaywardServer("2", { onclose: () => (alive -= 1) });
      },
      onEvent() {},
      sessionTtlMs: TTL_MS,
      tombstoneTtlMs: TOMBSTONE_MS,
      keepaliveIntervalMs: 0,
    });
    onTestFinished(async () => {
      vi.useRealTimers();
      vi.restoreAllMocks();
      await mcp.close();
    });
    const ids = await abandoned(mcp, accept);
    expect([mcp.host.inMemory, alive]).toEqual([SESSIONS, SESSIONS]);

    await vi.advanceTimersByTimeAsync(TTL_MS * 1.1 + 120_000);
    // Nothing but tombstones is left, and no server.
    expect([mcp.host.inMemory, alive]).toEqual([0, 0]);
    expect(ids.every((id) => mcp.host.find(id, undefined) !== undefined)).toBe(true);

    await vi.advanceTimersByTimeAsync(TOMBSTONE_MS + 1000);
    expect(ids.filter((id) => mcp.host.find(id, undefined) !== undefined)).toEqual([]);
    expect(mcp.host.inMemory).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  },
  120_000,
);
