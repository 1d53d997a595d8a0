/** P-04, P-05, R-13: many requests at once on a session that is just being built, or built again. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { ACCEPT_BOTH, openSession, post } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";

/** Different requests, so that none is a copy of another. */
const burst = Array.from({ length: 10 }, (_, n) =>
  n % 3 === 0 ? request("tools/list") : n % 3 === 1 ? toolCall("counter", { by: 1 }) : request("ping"),
);

describe.each(hosts)("on $name", (host) => {
  // Long enough for all to come while it is being built.
  const server = mortal(host, { TEST_START_MS: "50" });

  const rehydrations = (session: string): number =>
    server
      .events()
      .filter(({ type, session: of }) => type === "session.rehydrated" && of === session.slice(0, 8)).length;

  test("ten requests right after initialize are all served", async () => {
    const opened = await post(`${server.url}/mcp`, initialize());
    const session = opened.headers.get("mcp-session-id") ?? "";
    const answers = await Promise.all(
      burst.map((message) => post(`${server.url}/mcp`, message, { "Mcp-Session-Id": session })),
    );
    for (const answer of answers) expect(answer.status).toBe(200);
    for (const answer of answers) expect(await answer.json()).toHaveProperty("result");
    expect(rehydrations(session)).toBe(0);
  });

  test("ten requests right after a restart are all served by one rehydrated server", async () => {
    const session = await openSession(server.url);
    expect(await session.tool("counter", { by: 1 })).toBe("1");
    await server.kill();
    await server.restart();
    const answers = await Promise.all(burst.map((message) => session.post(message)));
    for (const answer of answers) expect(answer.status).toBe(200);
    for (const answer of answers) expect(await answer.json()).toHaveProperty("result");
    expect(await session.tool("counter", { by: 0 })).toBe("4");
    await eventually(() => expect(rehydrations(session.id)).toBe(1));
  });

  test("what the factory sets while the session is being opened is kept with it", async () => {
    const session = await openSession(server.url);
    expect(await session.tool("built")).toBe("1");
    await server.kill();
    await server.restart();
    expect(await session.tool("built")).toBe("2");
  });

  test("a GET among the first requests after a restart is served too", async () => {
    const session = await openSession(server.url);
    await server.kill();
    await server.restart();
    const [stream, ...answers] = await Promise.all([
      session.get(),
      ...burst.map((message) => session.post(message)),
    ]);
    for (const answer of answers) expect(answer.status).toBe(200);
    await session.tool("emit", { count: 1, on: "standalone" });
    expect(await stream.message()).toMatchObject({ method: "notifications/message" });
    stream.leave();
    await eventually(() => expect(rehydrations(session.id)).toBe(1));
  });

  test("300 interleaved initialize, list and DELETE never meet a 5xx", async () => {
    const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 1_000_000);
    const random = generator(seed);
    const sessions: string[] = [];
    const statuses: Record<string, number> = {};
    let left = 300;

    const step = async (): Promise<void> => {
      const dice = random();
      const session = sessions[Math.floor(random() * sessions.length)];
      const headers = { "Mcp-Session-Id": session };
      let answer: Response;
      if (session === undefined || dice < 0.3) {
        // Now and then with an id, of a session that lives or has been deleted.
        answer = await post(`${server.url}/mcp`, initialize(), dice < 0.1 ? headers : {});
        const opened = answer.headers.get("mcp-session-id");
        if (opened !== null) sessions.push(opened);
      } else if (dice < 0.8) {
        answer = await post(`${server.url}/mcp`, request("tools/list"), headers);
      } else {
        answer = await fetch(`${server.url}/mcp`, {
          method: "DELETE",
          headers: { "Mcp-Session-Id": session, Accept: ACCEPT_BOTH },
        });
      }
      await answer.text();
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      expect(answer.status, `seed ${seed}`).toBeLessThan(500);
    };
    const worker = async (): Promise<void> => {
      while (left-- > 0) await step();
    };
    await Promise.all(Array.from({ length: 10 }, worker));

    // All that can happen did.
    expect(Object.keys(statuses), `seed ${seed}`).toEqual(["200", "204", "400", "404"]);
  });
});

/** Numbers in [0, 1) that a seed determines (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
