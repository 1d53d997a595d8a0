/** A client that is known to open its standalone stream again without an event id hears nothing twice, whenever the process died. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { numbersOf } from "../support/messages.ts";
import { type EventStream, readEvents } from "../support/sse.ts";

/** As mcp-go's: the only one that is known before it has come back. */
const MCP_GO = { "User-Agent": "Go-http-client/1.1", "Content-Type": "application/json" };

const listen = async (session: McpSession, headers: Record<string, string>): Promise<EventStream> =>
  readEvents(await session.fetch("GET", headers));

/** Three messages and none before them, heard, and time for that to be noted: a call goes the same way after them. */
async function hear(session: McpSession, stream: EventStream, known: Set<string | undefined>): Promise<void> {
  await session.tool("emit", { count: 3, on: "standalone" });
  expect(numbersOf(await stream.messages(3))).toEqual([1, 2, 3]);
  const ids = stream.seen.flatMap((item) => (item.type === "event" && item.data !== "" ? [item.id] : []));
  expect(ids.filter((id) => known.has(id))).toEqual([]);
  for (const id of ids) known.add(id);
  await session.tool("echo", { text: "and then" });
}

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host);

  test("mcp-go, from its first stream on", async () => {
    const session = await openSession(server.url);
    const known = new Set<string | undefined>();
    for (let round = 0; round < 3; round++) {
      const stream = await listen(session, MCP_GO);
      await hear(session, stream, known);
      await server.kill();
      stream.leave();
      await server.restart();
    }
    const stream = await listen(session, MCP_GO);
    await hear(session, stream, known);
    stream.leave();
  });
});
