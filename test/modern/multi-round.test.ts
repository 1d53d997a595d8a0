/** `requestState`: sealed, bound to who called what, good in every isolate (C28). */
import { describe, expect, test, afterAll, beforeAll } from "vitest";
import { answerOf } from "../support/mcp.ts";
import { type Message, textOf } from "../support/messages.ts";
import { modernRequest, postModern } from "../support/modern.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const TOOL = "test_input_required_result_request_state";
const OTHER = "test_input_required_result_tampered_state";
const CONFIRMED = { confirm: { action: "accept", content: { ok: true } } };

let server: Workerd;
let a: string;
let b: string;
beforeAll(async () => {
  server = await startWorkerd({
    services: 2,
    vars: { TEST_AUTH: "on", REQUEST_STATE_KEY: "0123456789abcdef0123456789abcdef" },
  });
  [a = "", b = ""] = server.urls;
});
afterAll(() => server?.close());

interface Round {
  readonly as?: string;
  readonly tool?: string;
  readonly args?: Record<string, unknown>;
  readonly state?: unknown;
}

/** One round of a call; with a state, the one that answers what was asked. */
async function round(url: string, { as = "ann", tool = TOOL, args = {}, state }: Round): Promise<Message> {
  const answers = state === undefined ? {} : { requestState: state, inputResponses: CONFIRMED };
  const message = modernRequest("tools/call", { name: tool, arguments: args, ...answers }, undefined, {
    elicitation: {},
  });
  return answerOf(await postModern(url, message, { Authorization: `Bearer ${as}:token` }), message.id);
}

async function sealedBy(url: string, first: Round = {}): Promise<string> {
  const { result } = await round(url, first);
  expect(result).toMatchObject({ resultType: "input_required", inputRequests: { confirm: {} } });
  return String(result?.["requestState"]);
}

test("the next round may reach another isolate", async () => {
  const state = await sealedBy(a);
  expect(textOf(await round(b, { state }))).toBe("state-ok, confirmed: true");
});

test("a refreshed token is still the same principal", async () => {
  const state = await sealedBy(a);
  const message = modernRequest(
    "tools/call",
    { name: TOOL, arguments: {}, requestState: state, inputResponses: CONFIRMED },
    undefined,
    { elicitation: {} },
  );
  const answer = await answerOf(await postModern(b, message, { Authorization: "Bearer ann:refreshed" }));
  expect(textOf(answer)).toBe("state-ok, confirmed: true");
});

describe("is refused with -32602, before the tool runs, where", () => {
  const refused = { code: -32602, data: { reason: "invalid_request_state" } };

  test("it was changed on the way", async () => {
    const state = await sealedBy(a);
    const changed = `${state.slice(0, -2)}${state.endsWith("AA") ? "BB" : "AA"}`;
    for (const each of [changed, `${state}x`, state.slice(1), "", "v1..", "nonsense"]) {
      expect((await round(a, { state: each })).error).toMatchObject(refused);
    }
  });

  test("another principal sends it", async () => {
    const state = await sealedBy(a);
    expect((await round(a, { state, as: "bob" })).error).toMatchObject(refused);
  });

  test("it comes with another tool's call", async () => {
    const state = await sealedBy(a);
    expect((await round(a, { state, tool: OTHER })).error).toMatchObject(refused);
  });

  test("it comes with other arguments; their order does not matter", async () => {
    const state = await sealedBy(a, { args: { x: 1, y: { p: [1, 2], q: 2 } } });
    expect((await round(a, { state, args: { x: 2, y: { p: [1, 2], q: 2 } } })).error).toMatchObject(refused);
    expect((await round(a, { state, args: {} })).error).toMatchObject(refused);
    const again = await round(b, { state, args: { y: { q: 2, p: [1, 2] }, x: 1 } });
    expect(textOf(again)).toBe("state-ok, confirmed: true");
  });
});
