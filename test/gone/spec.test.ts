/** with `recovery: "spec"`: a session that is gone is a 404, and nothing else. */
import { beforeAll, describe, expect, test } from "vitest";
import { rowCount } from "../support/back-door.ts";
import { expectNotFound, expired, expiry, SHORT_LIVED } from "../support/gone.ts";
import { hosts, mortal, workerd } from "../support/hosts.ts";
import { initialize, request } from "../support/messages.ts";
import { type McpSession, openSession, post } from "../support/mcp.ts";
import { type SdkClient, SDKS } from "../support/sdk-clients.ts";

const SPEC = { ...SHORT_LIVED, HOLDFAST_RECOVERY: "spec" };
const LIST = request("tools/list");

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, SPEC);
  let dead: McpSession;
  const clients: SdkClient[] = [];

  beforeAll(async () => {
    for (const sdk of SDKS) clients.push(await sdk.connect(server.url, { withoutStream: true }));
    const [session] = await expired(server, 1);
    if (session === undefined) throw new Error("none");
    dead = session;
    await expiry(
      server,
      clients.map(({ sessionId }) => sessionId),
    );
  });

  test("no method names a successor", async () => {
    expect(await expectNotFound(await dead.post(LIST))).toBeNull();
    expect(await expectNotFound(await dead.fetch("GET"))).toBeNull();
    expect(await expectNotFound(await dead.fetch("DELETE"))).toBeNull();
  });

  test("initialize with an id that is gone, or was never issued, gets 404", async () => {
    expect(await expectNotFound(await dead.post(initialize()))).toBeNull();
    const never = { "Mcp-Session-Id": "0".repeat(64) };
    expect(await expectNotFound(await dead.post(initialize(), never))).toBeNull();
    const deleted = await openSession(server.url);
    await deleted.fetch("DELETE");
    expect(await expectNotFound(await deleted.post(initialize()))).toBeNull();
  });

  test("initialize without an id opens a session, and on a live one is refused", async () => {
    expect((await post(`${server.url}/mcp`, initialize())).status).toBe(200);
    const session = await openSession(server.url);
    expect((await session.post(initialize())).status).toBe(400);
    expect((await session.post(LIST)).status).toBe(200);
  });

  test("no official client finds a way back by itself, and none is told of one", async () => {
    for (const client of clients) {
      const { sessionId } = client;
      await expect(client.call("echo", { text: "lost" })).rejects.toThrow("Session not found");
      expect(client.sessionId).toBe(sessionId);
      await client.close();
    }
  });

  // Of workerd's objects the storage can be looked at.
  if (host === workerd) {
    test("nothing is kept: there is no successor to name", async () => {
      expect(await rowCount(server.url, dead.id)).toBe(0);
    });
  }
});
