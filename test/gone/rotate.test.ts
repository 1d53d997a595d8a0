/** R-02 …, P-06 … P-08, P-13, P-14: a session that ended, and the way back (`recovery: "rotate"`). */
import { beforeAll, expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { expectNotFound, expired, expiry, SHORT_LIVED } from "../support/gone.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { initialize, request, textOf, toolCall, VERSIONS } from "../support/messages.ts";
import { answerOf, type McpSession, openSession, post } from "../support/mcp.ts";
import type { EventStream } from "../support/sse.ts";
import { type SdkClient, SDKS } from "../support/sdk-clients.ts";

const LIST = request("tools/list");

describeBeside(hosts, "on $name", (host) => {
  const server = mortal(host, { ...SHORT_LIVED, HOLDFAST_RECOVERY: "rotate" });
  /** Sessions that have ended of age. */
  const dead: McpSession[] = [];
  const taken = (): McpSession => {
    const session = dead.pop();
    if (session === undefined) throw new Error("all used up");
    return session;
  };
  /** One whose client listened all the while. */
  let listening: McpSession;
  let stream: EventStream;
  const adopters: { name: string; client: SdkClient }[] = [];

  beforeAll(async () => {
    for (const { name, adopts, connect } of SDKS) {
      // Without an open stream, which would keep the session.
      if (adopts) adopters.push({ name, client: await connect(server.url, { withoutStream: true }) });
    }
    listening = await openSession(server.url);
    stream = await listening.get();
    for (const version of VERSIONS) dead.push(await openSession(server.url, { version }));
    dead.push(...(await expired(server, 12, { capabilities: { elicitation: {} } })));
    await expiry(server, [...dead.map(({ id }) => id), ...adopters.map(({ client }) => client.sessionId)]);
  });

  /** A request under another session id, otherwise as this session sends them. */
  const under = (session: McpSession, id: string | null, body: unknown): Promise<Response> =>
    session.post(body, { "Mcp-Session-Id": id ?? undefined });

  test("a session with an open stream does not age", async () => {
    expect((await listening.post(toolCall("emit", { count: 1, on: "standalone" }))).status).toBe(200);
    expect(await stream.message()).toMatchObject({ method: "notifications/message" });
    stream.leave();
  });

  test("every method gets 404 with the one body", async () => {
    const session = taken();
    const posted = await expectNotFound(await session.post(LIST));
    expect(posted).toMatch(/^[0-9a-zA-Z_-]{1,128}$/);
    expect(await expectNotFound(await session.fetch("GET"))).toBe(posted);
    // Whoever leaves needs no session to go on with.
    expect(await expectNotFound(await session.fetch("DELETE"))).toBeNull();
    expect(await expectNotFound(await session.post(LIST))).toBe(posted);
  });

  test("nothing is run for a session that is gone", async () => {
    const session = taken();
    const successor = await expectNotFound(await session.post(toolCall("counter", { by: 5 })));
    const counted = await answerOf(await under(session, successor, toolCall("counter", { by: 1 })));
    expect(textOf(counted)).toBe("1");
  });

  test("the successor answers at once, and knows the client", async () => {
    const session = taken();
    const successor = await expectNotFound(await session.post(LIST));
    const listed = await under(session, successor, LIST);
    expect(listed.status).toBe(200);
    // Nothing but an initialize, and a 404, names a session.
    expect(listed.headers.get("mcp-session-id")).toBeNull();
    expect(await listed.json()).toHaveProperty("result.tools");

    const whoami = await answerOf(await under(session, successor, toolCall("whoami")));
    expect(JSON.parse(textOf(whoami) ?? "")).toMatchObject({
      sessionId8: successor?.slice(0, 8),
      clientInfo: { name: "behaviour" },
      protocolVersion: "2025-11-25",
    });
    // Only a client that has declared the capability is asked.
    const asked = await under(session, successor, toolCall("test_elicitation", { message: "well?" }));
    expect(asked.headers.get("content-type")).toBe("text/event-stream");
    await asked.body?.cancel();
  });

  test("the successor can be initialised under its own id", async () => {
    const session = taken();
    const successor = await expectNotFound(await session.post(LIST));
    const opened = await under(session, successor, initialize("2025-06-18"));
    expect(opened.status).toBe(200);
    expect(opened.headers.get("mcp-session-id")).toBe(successor);
    expect(await opened.json()).toHaveProperty("result.protocolVersion", "2025-06-18");
    const headers = { "Mcp-Session-Id": successor ?? "", "MCP-Protocol-Version": "2025-06-18" };
    expect((await session.post(LIST, headers)).status).toBe(200);
    // From then on it is a session like any other.
    expect((await session.post(initialize("2025-06-18"), headers)).status).toBe(400);
  });

  test("stale requests, at once or one by one, are all sent to the same successor", async () => {
    const session = taken();
    const together = await Promise.all(
      Array.from({ length: 30 }, (_, n) => (n % 3 === 0 ? session.fetch("GET") : session.post(LIST))),
    );
    const successors = new Set<string | null>();
    for (const answer of together) successors.add(await expectNotFound(answer));
    for (let n = 0; n < 5; n++) successors.add(await expectNotFound(await session.post(LIST)));
    const [successor] = successors;
    await under(session, successor ?? null, LIST);
    successors.add(await expectNotFound(await session.post(LIST)));
    expect(successors.size).toBe(1);
    const rotated = server
      .events()
      .filter(({ type, session: of }) => type === "session.rotated" && of === session.id.slice(0, 8));
    expect(rotated).toHaveLength(1);
  });

  test("a tombstone and its successor outlive the process", async () => {
    const session = taken();
    const successor = await expectNotFound(await session.post(LIST));
    await server.kill();
    await server.restart();
    expect(await expectNotFound(await session.post(LIST))).toBe(successor);
    expect((await under(session, successor, LIST)).status).toBe(200);
  });

  test("a session whose time runs out while the process is down ends as it comes back", async () => {
    const session = await openSession(server.url);
    await server.kill();
    // Of its TTL, and the tenth that the last use may lie behind.
    await new Promise((resolve) => setTimeout(resolve, Number(SHORT_LIVED.HOLDFAST_SESSION_TTL_MS) * 1.2));
    await server.restart();
    await expiry(server, [session.id]);
    const successor = await expectNotFound(await session.post(LIST));
    expect((await under(session, successor, LIST)).status).toBe(200);
  });

  test("a successor that its client deleted is replaced by another", async () => {
    const session = taken();
    const first = await expectNotFound(await session.post(LIST));
    await session.fetch("DELETE", { "Mcp-Session-Id": first ?? undefined });
    expect(await expectNotFound(await under(session, first, LIST))).toBeNull();
    const second = await expectNotFound(await session.post(LIST));
    expect(second).not.toBe(first);
    expect((await under(session, second, LIST)).status).toBe(200);
  });

  test("a successor that ended of age has a successor itself", async () => {
    const session = taken();
    const first = await expectNotFound(await session.post(LIST));
    expect((await under(session, first, LIST)).status).toBe(200);
    await expiry(server, [first ?? undefined]);
    const second = await expectNotFound(await under(session, first, LIST));
    expect(new Set([session.id, first, second]).size).toBe(3);
    const whoami = await answerOf(await under(session, second, toolCall("whoami")));
    expect(JSON.parse(textOf(whoami) ?? "")).toMatchObject({ clientInfo: { name: "behaviour" } });
    // A client that never learnt of the first is sent to one that lives as well.
    const late = await expectNotFound(await session.post(LIST));
    expect((await under(session, late, LIST)).status).toBe(200);
  });

  test("initialize with a dead id opens a fresh session", async () => {
    const session = taken();
    const successor = await expectNotFound(await session.post(LIST));
    const opened = await session.post(initialize());
    expect(opened.status).toBe(200);
    const fresh = opened.headers.get("mcp-session-id");
    expect(fresh).not.toBeNull();
    expect([session.id, successor]).not.toContain(fresh);
    expect((await under(session, fresh, LIST)).status).toBe(200);
  });

  test("initialize on a session that lives is refused, and the session goes on", async () => {
    const session = await openSession(server.url);
    const refused = await session.post(initialize());
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { code: -32600 } });
    expect((await session.post(LIST)).status).toBe(200);
  });

  test("a session that its client deleted is gone for good", async () => {
    const session = await openSession(server.url);
    expect((await session.fetch("DELETE")).status).toBe(204);
    expect(await expectNotFound(await session.post(LIST))).toBeNull();
    expect(await expectNotFound(await session.fetch("GET"))).toBeNull();
    expect(await expectNotFound(await session.fetch("DELETE"))).toBeNull();
    const opened = await session.post(initialize());
    expect(opened.status).toBe(200);
    expect(opened.headers.get("mcp-session-id")).not.toBe(session.id);
    await server.kill();
    await server.restart();
    expect(await expectNotFound(await session.post(LIST))).toBeNull();
  });

  test("an id that was never issued is sent nowhere", async () => {
    const session = await openSession(server.url);
    const flipped = session.id.slice(0, -1) + (session.id.endsWith("0") ? "1" : "0");
    for (const id of ["never-issued", "0".repeat(64), "f".repeat(64), flipped, crypto.randomUUID()]) {
      expect(await expectNotFound(await under(session, id, LIST))).toBeNull();
      expect(await expectNotFound(await session.fetch("GET", { "Mcp-Session-Id": id }))).toBeNull();
      expect(await expectNotFound(await session.fetch("DELETE", { "Mcp-Session-Id": id }))).toBeNull();
      const opened = await under(session, id, initialize());
      expect(opened.status).toBe(200);
      expect(opened.headers.get("mcp-session-id")).not.toBe(id);
    }
  });

  test.each(SDKS.filter(({ adopts }) => adopts))(
    "client $name goes on after one failed call, with no initialize",
    async ({ name }) => {
      const client = adopters.find((adopter) => adopter.name === name)?.client;
      if (client === undefined) throw new Error("not connected");
      const gone = client.sessionId;
      client.sent.length = 0;
      await expect(client.call("counter", { by: 1 })).rejects.toThrow("Session not found");
      for (let n = 1; n <= 3; n++) expect(await client.call("counter", { by: 1 })).toBe(String(n));
      expect(client.sessionId).not.toBe(gone);
      expect(client.sent.map(({ message, status }) => [message?.method, status])).toEqual([
        ["tools/call", 404],
        ["tools/call", 200],
        ["tools/call", 200],
        ["tools/call", 200],
      ]);
      await client.close();
    },
  );

  test.each(VERSIONS)("the successor of a session of %s speaks it too", async (version) => {
    const session = dead.find((one) => one.version === version);
    if (session === undefined) throw new Error("all used up");
    const successor = await expectNotFound(await session.post(LIST));
    const answer = await answerOf(await under(session, successor, toolCall("whoami")));
    expect(JSON.parse(textOf(answer) ?? "")).toMatchObject({ protocolVersion: version });
    // Batches are of 2025-03-26 alone.
    const batch = await under(session, successor, [request("ping"), request("ping")]);
    expect(batch.status).toBe(version === "2025-03-26" ? 200 : 400);
  });

  test("without an id, a request is served for itself, and initialize opens a session", async () => {
    const served = await post(`${server.url}/mcp`, LIST);
    expect(served.status).toBe(200);
    expect(served.headers.get("mcp-session-id")).toBeNull();
    expect((await post(`${server.url}/mcp`, initialize())).status).toBe(200);
  });
});
