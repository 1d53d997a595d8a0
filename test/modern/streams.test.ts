/** What a modern call streams, and what becomes of a call whose client leaves (C6, C7, C9). */
import { describe, expect, test } from "vitest";
import { bun } from "../support/bun.ts";
import { deno } from "../support/deno.ts";
import { hosts } from "../support/hosts.ts";
import { type Message, textOf } from "../support/messages.ts";
import { listen, modernRequest, postModern } from "../support/modern.ts";
import { readEvents } from "../support/sse.ts";
import { serve } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const KEEPALIVE_MS = 300;

function tool(name: string, args: Record<string, unknown>, progressToken?: string): Message {
  const meta = progressToken === undefined ? {} : { _meta: { progressToken } };
  return modernRequest("tools/call", { name, arguments: args, ...meta });
}

describe.each([...hosts, deno, bun])("on $name", (host) => {
  const server = serve(host, {
    HOLDFAST_LOG_LEVEL: "debug",
    HOLDFAST_KEEPALIVE_INTERVAL_MS: String(KEEPALIVE_MS),
  });

  /** Waits for a line that the test server printed about this tag. */
  function said(type: string, tag: string): Promise<unknown> {
    return eventually(() => expect(server.events()).toContainEqual({ type, tag }));
  }

  test("progress comes as it is made, and the result last", async () => {
    const message = tool("hang", { tag: "live", streams: true }, "p");
    const stream = readEvents(await postModern(server.url, message));
    // The call has not ended, and will not: what it said is here already.
    expect(await stream.message()).toMatchObject({
      method: "notifications/progress",
      params: { progressToken: "p" },
    });
    stream.leave();

    const counted = readEvents(await postModern(server.url, tool("sleep", { ms: 60, steps: 6 }, "q")));
    const messages = await counted.rest();
    expect(messages.map(({ method, params }) => method && params?.["progress"])).toEqual([
      1,
      2,
      3,
      4,
      5,
      6,
      undefined,
    ]);
    expect(textOf(messages[6] ?? {})).toBe("slept");
  });

  test("a call that is quick and says nothing is plain JSON", async () => {
    const response = await postModern(server.url, tool("sleep", { ms: 20 }));
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(textOf((await response.json()) as Message)).toBe("slept");
  });

  test("a call that is silent for long becomes a stream with keepalives: proxies cut what is silent", async () => {
    const response = await postModern(server.url, tool("sleep", { ms: 4 * KEEPALIVE_MS }));
    const stream = readEvents(response);
    const [answer, ...more] = await stream.rest();
    expect(textOf(answer ?? {})).toBe("slept");
    expect(more).toEqual([]);
    expect(stream.seen.filter((item) => item.type === "comment").length).toBeGreaterThan(0);
  });

  test("keepalives are comments, whatever the session eras use", async () => {
    const pinging = await host.start({
      HOLDFAST_KEEPALIVE_MODE: "jsonrpc",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "100",
    });
    try {
      const stream = await listen(pinging.url, { toolsListChanged: true });
      const items = [await stream.next(), await stream.next()];
      expect(items.map((item) => item?.type)).toEqual(["comment", "comment"]);
      stream.leave();
    } finally {
      await pinging.close();
    }
  });

  describe("closing the connection cancels the call", () => {
    test("while it streams", async () => {
      const stream = readEvents(
        await postModern(server.url, tool("hang", { tag: "streaming", streams: true })),
      );
      await stream.message();
      await said("test.hanging", "streaming");
      expect(server.events()).not.toContainEqual({ type: "test.cancelled", tag: "streaming" });
      stream.leave();
      await said("test.cancelled", "streaming");
    });

    test("while it has not said a word", async () => {
      const leaving = new AbortController();
      const pending = postModern(server.url, tool("hang", { tag: "silent" }), {}, leaving.signal);
      pending.catch(() => {});
      await said("test.hanging", "silent");
      leaving.abort();
      await said("test.cancelled", "silent");
    });

    test("and no other call of the same id", async () => {
      const message = tool("hang", { tag: "first", streams: true });
      const first = readEvents(await postModern(server.url, message));
      const second = readEvents(
        await postModern(server.url, {
          ...tool("hang", { tag: "second", streams: true }),
          id: message.id ?? 0,
        }),
      );
      await Promise.all([first.message(), second.message()]);
      first.leave();
      await said("test.cancelled", "first");
      expect(server.events()).not.toContainEqual({ type: "test.cancelled", tag: "second" });
      second.leave();
      await said("test.cancelled", "second");
    });
  });

  test("a client that stops reading does not hold what the call says without bound", async () => {
    const bounded = await host.start({
      HOLDFAST_LOG_LEVEL: "debug",
      HOLDFAST_MAX_STORED_BYTES: "200000",
      HOLDFAST_SEND_TIMEOUT_MS: "0",
    });
    try {
      const sizes = Array.from({ length: 400 }, () => 100_000);
      const message = tool("burst", { tag: "flood", sizes, intervalMs: 1, on: "request" });
      const leaving = new AbortController();
      // Never read: what the sockets between do not take waits at the edge. Held, because fetch gives up
      // the body of a response that nobody can reach any more.
      const unread = await postModern(bounded.url, message, {}, leaving.signal);
      await eventually(() =>
        expect(bounded.events()).toContainEqual(
          expect.objectContaining({ type: "connection.closed", reason: "overflow" }),
        ),
      );
      expect(unread.bodyUsed).toBe(false);
      leaving.abort();
    } finally {
      await bounded.close();
    }
  });
});
