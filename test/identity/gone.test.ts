/** the way back from a session that is gone is for its own subject alone. */
import { beforeAll, describe, expect, test } from "vitest";
import { expectNotFound, expired, SHORT_LIVED } from "../support/gone.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { initialize, request } from "../support/messages.ts";
import { type McpSession } from "../support/mcp.ts";

const LIST = request("tools/list");
const AMY = { Authorization: "Bearer amy:0001" };
const BOB = { Authorization: "Bearer bob:0001" };

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { ...SHORT_LIVED, HOLDFAST_RECOVERY: "rotate", TEST_AUTH: "on" });
  let dead: McpSession;
  beforeAll(async () => {
    const [session] = await expired(server, 1, { headers: AMY });
    if (session === undefined) throw new Error("none");
    dead = session;
  });

  test("another subject is told of no successor, before its owner was and after", async () => {
    expect(await expectNotFound(await dead.post(LIST, BOB))).toBeNull();
    expect(await expectNotFound(await dead.fetch("GET", BOB))).toBeNull();
    const successor = (await expectNotFound(await dead.post(LIST))) ?? "";
    expect(successor).not.toBe("");
    expect(await expectNotFound(await dead.post(LIST, BOB))).toBeNull();

    // The successor has the same owner; who is not it cannot use it, nor initialise it.
    const under = { "Mcp-Session-Id": successor };
    expect(await expectNotFound(await dead.post(LIST, { ...BOB, ...under }))).toBeNull();
    const opened = await dead.post(initialize(), { ...BOB, ...under });
    expect(opened.headers.get("mcp-session-id")).not.toBe(successor);
    expect((await dead.post(LIST, under)).status).toBe(200);
    // A fresh token of the owner finds it as well.
    const fresh = { Authorization: "Bearer amy:0002" };
    expect(await expectNotFound(await dead.post(LIST, fresh))).toBe(successor);
  });

  test("without credentials a session that is gone is a 401, not a 404", async () => {
    const answer = await dead.post(LIST, { Authorization: undefined });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("mcp-session-id")).toBeNull();
  });
});
