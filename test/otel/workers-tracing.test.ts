/** Calls in the runtime's own traces, as a tail Worker hears of them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSession } from "../support/mcp.ts";
import { modernRequest, postModern } from "../support/modern.ts";
import { toolCall } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const TRACEPARENT = "00-11111111111111111111111111111111-2222222222222222-01";

/** Says of each span, once it is over, all that was told of it. */
const TAIL = `export default {
  fetch: () => new Response("ok"),
  tailStream({ event: onset, spanContext: { traceId } }) {
    const open = new Map();
    return ({ event, spanContext: { spanId } }) => {
      if (event.type === "spanOpen") {
        open.set(event.spanId, { name: event.name, in: onset.executionModel, traceId, attributes: {} });
        return;
      }
      const span = open.get(spanId);
      if (span === undefined) return;
      if (event.type === "attributes") for (const { name, value } of event.info) span.attributes[name] = value;
      if (event.type === "spanUpdate") span.status = event.info.status?.code;
      if (event.type === "spanClose") console.log(JSON.stringify({ type: "test.native", ...span }));
    };
  },
};`;

let server: Workerd;
beforeAll(async () => {
  server = await startWorkerd({ vars: { TEST_OTEL: "workers" }, tail: TAIL });
});
afterAll(() => server.close());

const spans = (name: string): Record<string, unknown>[] =>
  server.events().filter((event) => event.type === "test.native" && event["name"] === name);

/**
 * Of a session's call that became a stream nothing can be heard here: this workerd tells a tail nothing more of an
 * invocation that uses SQL after it has returned.
 */
test("a session's call is a span of its object's, and what went wrong is in it", async () => {
  const session = await openSession(server.url);
  await session.post(toolCall("echo", { text: "said" }), { traceparent: TRACEPARENT });
  await session.post(toolCall("nowhere"));
  await eventually(() => {
    expect(spans("tools/call echo")).toEqual([
      expect.objectContaining({
        in: "durableObject",
        attributes: expect.objectContaining({
          "mcp.method.name": "tools/call",
          "gen_ai.tool.name": "echo",
          "mcp.session.id": session.id.slice(0, 8),
          "holdfast.client.traceparent": TRACEPARENT,
          "holdfast.streamed": false,
        }),
      }),
    ]);
    expect(spans("tools/call nowhere")).toEqual([
      expect.objectContaining({
        status: "error",
        attributes: expect.objectContaining({ "error.type": "-32602" }),
      }),
    ]);
  });
  expect(JSON.stringify(spans("tools/call echo"))).not.toMatch(new RegExp(`${session.id}|said`));
});

test("a call of 2026-07-28 is one of the edge's, and lasts as long as the call", async () => {
  const call = modernRequest("tools/call", { name: "sleep", arguments: { ms: 600 } });
  await (await postModern(server.url, call)).text();
  await eventually(() =>
    expect(spans("tools/call sleep")).toEqual([
      expect.objectContaining({
        in: "stateless",
        attributes: expect.objectContaining({ "holdfast.streamed": true }),
      }),
    ]),
  );
});
