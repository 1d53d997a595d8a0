/** The process is killed, and a client comes back that keeps no event id: what it had long ago does not come again. */
import { describe, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { numbersOf } from "../support/messages.ts";
import type { EventStream } from "../support/sse.ts";
import { eventually } from "../support/wait.ts";

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { HOLDFAST_RETRY_MS: "100" });

  /** Sends messages `from` to `to`, and reads them. */
  const say = async (session: McpSession, stream: EventStream, count: number): Promise<void> => {
    await session.tool("burst", {
      tag: "said",
      sizes: Array.from({ length: count }, () => 10),
      on: "standalone",
    });
    await session.tool("settle");
    expect(numbersOf(await stream.messages(count))).toHaveLength(count);
  };

  /** Until the session knows that the stream's client has all: what it stores from then on says so. */
  const acknowledged = (session: McpSession, from: number): Promise<void> =>
    eventually(async () => {
      const { socketMessages } = await inspect(server.url, session.id);
      // In one process an acknowledgement is a call, made before the client has read.
      if (host.name !== "node") expect(socketMessages).toBeGreaterThan(from);
    });

  const seqs = async (session: McpSession): Promise<number[]> => {
    const { tables } = await inspect(server.url, session.id);
    return (tables["event"] ?? []).map(({ seq }) => Number(seq));
  };

  test("only what came after the last message that could say so comes twice", async () => {
    const session = await openSession(server.url);
    const stream = await session.get();
    await say(session, stream, 20);
    await acknowledged(session, 0);
    await say(session, stream, 1);
    const rows = (await inspect(server.url, session.id)).tables["stream"];
    await server.restart();

    // No row of its own was written for it.
    expect(rows).toEqual([]);
    expect(await seqs(session)).toHaveLength(21);
    const again = await session.get();
    const first = await again.message();
    expect(again.lastEventId?.split(".").at(-1)).toBe((21).toString(36));
    expect(numbersOf([first])).toEqual([1]);
    // And goes on after it.
    await say(session, again, 2);
    again.leave();
  });

  test("what nobody was handed comes all", async () => {
    const session = await openSession(server.url);
    await session.tool("burst", { tag: "unread", sizes: [1, 1, 1], on: "standalone" });
    await session.tool("settle");
    await server.restart();
    const stream = await session.get();
    expect(numbersOf(await stream.messages(3))).toEqual([1, 2, 3]);
    stream.leave();
  });
});
