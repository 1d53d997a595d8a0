/** The trace of a call goes with it to where its session is, and to its next attempt after a restart. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { resumable } from "../support/interrupted.ts";
import { request, toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";

const TRACEPARENT = "00-11111111111111111111111111111111-2222222222222222-01";

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { TEST_OTEL: "on", TEST_RERUN: "sleep", HOLDFAST_RETRY_MS: "300" });
  const spans = (name: string): Record<string, unknown>[] =>
    server.events().filter((event) => event.type === "test.span" && event["name"] === name);

  test("within its client's trace, by header or by `_meta`", async () => {
    const session = await openSession(server.url);
    await session.post(request("tools/list"), { traceparent: TRACEPARENT });
    await session.post(request("prompts/list", { _meta: { traceparent: TRACEPARENT } }));
    for (const name of ["tools/list", "prompts/list"]) {
      await eventually(() =>
        expect(spans(name)).toEqual([
          expect.objectContaining({ traceId: "1".repeat(32), parent: "2".repeat(16), linked: [] }),
        ]),
      );
    }
  });

  test("a call that runs again is in the same trace, and links to the attempt that was cut off", async () => {
    const session = await openSession(server.url);
    const call = { ...toolCall("sleep", { ms: 900 }) };
    call.params = { ...call.params, _meta: { traceparent: TRACEPARENT } };
    const lastEventId = await resumable(await session.stream(call));
    await server.restart();
    await (await session.get(lastEventId)).rest();
    await eventually(() => {
      expect(spans("tools/call sleep")).toEqual([
        expect.objectContaining({
          traceId: "1".repeat(32),
          parent: "2".repeat(16),
          linked: [expect.stringMatching(/^[0-9a-f]{16}$/)],
          attributes: expect.objectContaining({ "holdfast.attempts": 2 }),
        }),
      ]);
    });
  });
});
