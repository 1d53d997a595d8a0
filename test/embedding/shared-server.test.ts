/** The example's way with mcp-lite allows for one server for all sessions: they stay apart all the same. */
import { expect, test } from "vitest";
import { createServer } from "../../examples/embedding/servers/mcp-lite.ts";
import { served } from "../local/served.ts";
import type { ConnectableServer } from "../../src/index.ts";
import { openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";

test("one mcp-lite server serves many sessions, each with its own progress and answers", async () => {
  let shared: ConnectableServer | undefined;
  const { url } = await served({ createServer: (context) => (shared ??= createServer(context)) });
  const sessions = await Promise.all([1, 2, 3].map(() => openSession(url)));
  const count = async (index: number): Promise<void> => {
    // Equal ids and equal tokens: only the session tells them apart.
    const call = toolCall("count", { to: index + 2 }, { id: 1, progressToken: "p" });
    const stream = await sessions[index]?.stream(call);
    const rest = await stream?.rest();
    const progress = Array.from({ length: index + 2 }, (_, n) => ({ params: { progress: n + 1 } }));
    expect(rest).toMatchObject([...progress, { result: { content: [{ text: `counted to ${index + 2}` }] } }]);
  };
  await Promise.all([count(0), count(1), count(2)]);

  expect((await sessions[0]?.fetch("DELETE"))?.status).toBe(204);
  await Promise.all([count(1), count(2)]);
});
