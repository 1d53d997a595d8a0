/** Messages larger than what one WebSocket message carries, on links that random sequences found wanting. */
import { describe, expect, test } from "vitest";
import { abortObject } from "../support/back-door.ts";
import { workerd } from "../support/hosts.ts";
import { openSession } from "../support/mcp.ts";
import type { Message } from "../support/messages.ts";
import { serve } from "../support/subject.ts";
import { type BurstData, filling } from "../support/test-server.ts";

describe.each([workerd])("on $name", (host) => {
  const server = serve(host);
  const sizes = [600_000, 3, 300_000, 262_144, 2];
  const expected = sizes.map((size, index) => filling("large", index + 1, size));
  const fillings = (messages: readonly Message[]): string[] =>
    messages.map(({ params }) => (params as { data: BurstData }).data.filling);

  test("large messages that waited for a GET arrive as they were sent", async () => {
    const session = await openSession(server.url);
    await session.tool("burst", { tag: "large", sizes, on: "standalone" });
    await session.tool("settle");
    const stream = await session.get();
    expect(fillings(await stream.messages(sizes.length))).toEqual(expected);
    stream.leave();
  });

  test("large messages arrive as they were sent when the object is reset between them", async () => {
    const session = await openSession(server.url);
    await session.tool("burst", { tag: "large", sizes, on: "standalone" });
    await session.tool("settle");
    const stream = await session.get();
    const first = await stream.messages(1);
    await abortObject(server.url, session.id);
    expect(fillings([...first, ...(await stream.messages(sizes.length - 1))])).toEqual(expected);
    stream.leave();
  });
});
