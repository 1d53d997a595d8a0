/** B38: what sessions that are gone leave in storage, and that it goes too. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { expectNotFound, expired, expiry, SHORT_LIVED } from "../support/gone.ts";
import { request } from "../support/messages.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const LIST = request("tools/list");

const VARS = { ...SHORT_LIVED, HOLDFAST_RECOVERY: "rotate" };
/** Successors and tombstones go soon: too soon for a test that takes several steps while they are there. */
const FORGETFUL = { ...VARS, HOLDFAST_PROVISIONAL_TTL_MS: "2000", HOLDFAST_TOMBSTONE_TTL_MS: "2000" };

let server: Workerd;
/** Sessions that have ended of age. */
let dead: McpSession[];
/** Another of them, which had a state, a subscription, and messages that waited. */
let busy: McpSession;
beforeAll(async () => {
  server = await startWorkerd({ vars: VARS });
  busy = await openSession(server.url);
  await busy.tool("counter");
  await busy.post(request("resources/subscribe", { uri: "test://watched-resource" }));
  await busy.tool("emit", { count: 3, on: "standalone" });
  const { tables } = await inspect(server.url, busy.id);
  for (const name of ["event", "entry"]) expect(tables[name]).not.toEqual([]);
  dead = await expired(server, 1);
  await expiry(server, [busy.id]);
});
afterAll(() => server.close());

const taken = (): McpSession => {
  const session = dead.pop();
  if (session === undefined) throw new Error("all used up");
  return session;
};

/** Number of objects that have a file. */
const objects = (): number =>
  readdirSync(join(server.storage, "holdfast")).filter((name) => name.endsWith(".sqlite")).length;

/** Waits until the object holds nothing, and nothing will wake it. */
function emptied(session: string, at: string = server.url): Promise<void> {
  return eventually(async () => {
    const { tables, alarm } = await inspect(at, session);
    expect(Object.values(tables).flat()).toEqual([]);
    expect(alarm).toBeNull();
  });
}

test("stale requests make one object more, ids that were never issued none", async () => {
  const session = taken();
  const before = objects();
  const stale = await Promise.all(Array.from({ length: 100 }, () => session.post(LIST)));
  const named = await Promise.all(stale.map(expectNotFound));
  for (let n = 0; n < 10; n++) named.push(await expectNotFound(await session.post(LIST)));
  expect(new Set(named).size).toBe(1);
  expect(named[0]).not.toBeNull();
  expect(objects()).toBe(before + 1);
  for (let n = 0; n < 20; n++) {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const headers = { "Mcp-Session-Id": id };
    await expectNotFound(await session.post(LIST, headers));
    await expectNotFound(await session.fetch("GET", headers));
    await expectNotFound(await session.fetch("DELETE", headers));
  }
  expect(objects()).toBe(before + 1);
});

test("a tombstone has nothing of the session but its row", async () => {
  const { tables } = await inspect(server.url, busy.id);
  expect(tables).toMatchObject({ session: [{ status: "ended" }], stream: [], event: [], entry: [] });
});

test("a successor that nobody used vanishes, and a tombstone is forgotten in the end", async () => {
  const forgetful = await startWorkerd({ vars: FORGETFUL });
  try {
    const [session] = await expired(forgetful, 1);
    if (session === undefined) throw new Error("none has ended");
    // None is named by a tombstone that has gone meanwhile.
    const successor = await expectNotFound(await session.post(LIST));
    if (successor !== null) await emptied(successor, forgetful.url);
    await emptied(session.id, forgetful.url);
    expect(await expectNotFound(await session.post(LIST))).toBeNull();
  } finally {
    await forgetful.close();
  }
});

test("a session that its client deleted leaves nothing", async () => {
  const session = await openSession(server.url);
  await session.tool("counter");
  expect((await session.fetch("DELETE")).status).toBe(204);
  await emptied(session.id);
  expect((await inspect(server.url, session.id)).tables).toEqual({});
});
