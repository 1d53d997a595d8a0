/** A session that its client ends with DELETE stays ended. */
import { describe, expect, test } from "vitest";
import { named, opened, sessionOf } from "./support/named-session.ts";

describe("leaving", () => {
  test("DELETE of a session that is gone is a success, and opens none", async () => {
    const { script, session } = await opened();
    script.sessions.clear();
    const answer = await session.delete();
    expect([answer.ok, await answer.text()]).toEqual([true, ""]);
    expect(script.of("initialize")).toHaveLength(1);
    // And nothing brings it back afterwards.
    expect((await session.call("tools/list")).status).toBe(404);
    expect(script.of("initialize")).toHaveLength(1);
  });

  test("DELETE goes to the session as the server knows it now", async () => {
    const { script, session } = await opened({}, (given) =>
      given.method === "DELETE" ? new Response(null, { status: 200 }) : named(given),
    );
    script.sessions.clear();
    await session.call("tools/list");
    await session.delete();
    expect(script.of("DELETE")[0]?.headers.get("mcp-session-id")).toBe("session-2");
  });

  test("a server that does not let a client end its session keeps it", async () => {
    const { script, session } = await opened({}, (given) =>
      given.method === "DELETE" ? new Response(null, { status: 405 }) : named(given),
    );
    expect((await session.delete()).status).toBe(405);
    script.sessions.clear();
    expect(await sessionOf(await session.call("tools/list"))).toBe("session-2");
  });
});
