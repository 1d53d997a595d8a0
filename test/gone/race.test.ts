/** B26, P-05: requests that meet a session between the steps of its end. */
import { expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { expectNotFound, expiry, NOT_FOUND } from "../support/gone.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { readEvents } from "../support/sse.ts";

/** What a call gets that the session's end overtook. */
const ENDED = { code: -32000, data: { reason: "session-ended" } };

/** Twenty requests of every kind. */
const crowd = (session: McpSession): Promise<Response>[] =>
  Array.from({ length: 20 }, (_, n) => {
    if (n % 5 === 0) return session.fetch("GET");
    if (n % 5 === 1) return session.post(toolCall("sleep", { ms: 150 }));
    if (n % 5 === 2) return session.post(toolCall("counter"));
    if (n % 5 === 3) return session.post(initialize());
    return session.post(request("tools/list"));
  });

/** Checks an answer from before, during or after the end; returns its status. */
async function checked(response: Response): Promise<number> {
  const { status } = response;
  if (status === 404) expect(await response.text()).toMatch(NOT_FOUND);
  else if (response.headers.get("content-type") === "text/event-stream") {
    // Every stream ends, and a call's with an answer.
    const rest = await readEvents(response).rest();
    for (const message of rest) if (message.error !== undefined) expect(message.error).toMatchObject(ENDED);
  } else expect(await response.json()).toHaveProperty("jsonrpc", "2.0");
  return status;
}

describeBeside(hosts, "on $name", (host) => {
  const server = mortal(host, { TEST_START_MS: "50" });

  test("a DELETE among other requests: each is served, or gets 404", async () => {
    for (let round = 0; round < 8; round++) {
      const session = await openSession(server.url);
      const before = crowd(session);
      const deleted = session.fetch("DELETE");
      const after = crowd(session);
      const answers = await Promise.all([...before, ...after]);
      for (const status of await Promise.all(answers.map(checked))) expect([200, 400, 404]).toContain(status);
      expect((await deleted).status).toBe(204);
      expect(await expectNotFound(await session.post(request("tools/list")))).toBeNull();
    }
  });

  test("a DELETE while the server is being built again: each is served, or gets 404", async () => {
    const session = await openSession(server.url);
    await server.kill();
    await server.restart();
    const before = crowd(session);
    const deleted = session.fetch("DELETE");
    const answers = await Promise.all([...before, ...crowd(session)]);
    for (const status of await Promise.all(answers.map(checked))) expect([200, 400, 404]).toContain(status);
    expect((await deleted).status).toBe(204);
    expect(await expectNotFound(await session.post(request("tools/list")))).toBeNull();
  });

  test("of two DELETEs at once, one ends the session and the other finds it gone", async () => {
    const session = await openSession(server.url);
    const answers = await Promise.all([session.fetch("DELETE"), session.fetch("DELETE")]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404]);
  });

  test("a call in progress ends with an error when its session is deleted", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", { ms: 600_000 });
    const stream = await session.stream(call);
    const standalone = await session.get();
    expect((await session.fetch("DELETE")).status).toBe(204);
    expect(await stream.rest()).toMatchObject([{ id: call.id, error: ENDED }]);
    expect(await standalone.rest()).toEqual([]);
  });
});

describeBeside(hosts, "on $name, of age", (host) => {
  const server = mortal(host, {
    HOLDFAST_RECOVERY: "rotate",
    HOLDFAST_SESSION_TTL_MS: "1000",
    HOLDFAST_KEEPALIVE_INTERVAL_MS: "500",
    HOLDFAST_TOMBSTONE_TTL_MS: "1000",
  });

  test("a session that ends, and is forgotten, under a rain of requests never answers 5xx", async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => openSession(server.url)));
    const over = expiry(
      server,
      sessions.map(({ id }) => id),
    );
    let isOver = false;
    const stop = (): void => void (isOver = true);
    void over.then(stop, stop);
    const seen = new Set<number>();
    // Over the other transport: it reaches the session and finds nothing to use, so the session goes on ageing.
    while (!isOver) {
      const answers = await Promise.all(
        sessions.map(({ id }) =>
          fetch(`${server.url}/messages?sessionId=${id}`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(request("tools/list")),
          }),
        ),
      );
      for (const answer of answers) seen.add(answer.status);
    }
    await over;
    // From here the tombstones are due within a second or two: each answers with a successor, then without.
    for (const session of sessions) {
      for (let isKept = true; isKept;) {
        isKept = (await expectNotFound(await session.post(request("tools/list")))) !== null;
      }
    }
    expect([...seen]).toEqual([404]);
  });
});
