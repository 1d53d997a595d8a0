/** Answers and streams that recovery leaves as they are. */
import { describe, expect, test } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { request } from "../support/messages.ts";
import { opened } from "./support/lasting-stream.ts";
import { readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, pass } from "./support/script.ts";
import { interrupted, log } from "./support/stream-messages.ts";

describe("what is none of its business", () => {
  test("a JSON answer is handed on as it is", async () => {
    const answer = Response.json({ jsonrpc: "2.0", id: 1, result: {} });
    const { session } = await opened((given) => (given.message?.method === "tools/call" ? answer : pass()));
    expect(await session.call("tools/call")).toBe(answer);
  });

  test("a subscription of the stateless era ends as it ends: its client listens anew", async () => {
    const script = createScript(() => openStream().response);
    const fetch = recoveringFetch({ fetch: script.fetch });
    const body = JSON.stringify(request("subscriptions/listen", { notifications: {} }));
    const given = openStream();
    script.answer = () => given.response;
    expect(await fetch(URL_OF_SCRIPT, { method: "POST", body })).toBe(given.response);
  });

  test("a call of the stateless era gets an error, too, when its stream ends before the answer", async () => {
    const script = createScript(() => {
      const stream = openStream();
      stream.send(log(1));
      stream.end();
      return stream.response;
    });
    const fetch = recoveringFetch({ fetch: script.fetch });
    const call = request("tools/call");
    const headers = { "mcp-protocol-version": "2026-07-28" };
    const response = await fetch(URL_OF_SCRIPT, { method: "POST", headers, body: JSON.stringify(call) });
    expect(await readMessages(response).rest()).toEqual([log(1), interrupted(call.id, "no event id")]);
    expect(script.sent).toHaveLength(1);
  });

  test("the GET of HTTP+SSE is its EventSource's", async () => {
    const given = openStream();
    const script = createScript(() => given.response);
    const fetch = recoveringFetch({ fetch: script.fetch });
    expect(await fetch(URL_OF_SCRIPT, { headers: { accept: "text/event-stream" } })).toBe(given.response);
  });
});
