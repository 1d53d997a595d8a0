/** A Worker of a compatibility date before 2024-04-03, whose stubs have no methods: calls go by `fetch`. */
import { expect, onTestFinished, test } from "vitest";
import { openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { startWorkerd } from "../support/workerd.ts";

test("a session is opened and used, quick calls and streams alike, where stubs have no methods", async () => {
  const server = await startWorkerd({ flags: ["enable_request_signal", "no_rpc"] });
  onTestFinished(() => server.close());
  const session = await openSession(server.url);
  expect(await session.tool("counter", { by: 2 })).toBe("2");
  const call = toolCall("burst", { tag: "t", sizes: [10, 10, 10], intervalMs: 1, on: "request" });
  const messages = await (await session.stream(call)).rest();
  expect(messages).toHaveLength(4);
  expect(messages.at(-1)).toMatchObject({ id: call.id, result: {} });
  expect((await session.fetch("DELETE")).status).toBe(204);
});
