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

let server: Workerd;
/** Sessions that have ended of age. */
let dead: McpSession[];
/** Another of them, which had a state, a subscription, and messages that waited. */
let busy: McpSession;
beforeAll(async () => {
  server = await startWorkerd({
    vars: {
      ...SHORT_LIVED,
      HOLDFAST_RECOVERY: "rotate",
      HOLDFAST_PROVISIONAL_TTL_MS: "1000",
      HOLDFAST_TOMBSTONE_TTL_MS: "4000",
    },
  });
  busy = await openSession(server.url);
  await busy.tool("counter");
  await busy.post(request("resources/subscribe", { uri: "test://watched-resource" }));
  await busy.tool("emit", { count: 3, on: "standalone" });
  const { tables } = await inspect(server.url, busy.id);
  for (const name of ["event", "entry"]) expect(tables[name]).not.toEqual([]);
  dead = await expired(server, 3);
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
function emptied(session: string): Promise<void> {
  return eventually(async () => {
    const { tables, alarm } = await inspect(server.url, session);
    expect(Object.values(tables).flat()).toEqual([]);
    expect(alarm).toBeNull();
  });
}

test("stale requests make one object more, ids that were never issued none", async () => {
  const session = taken();
  const before = objects();
  await Promise.all(Array.from({ length: 30 }, () => session.post(LIST)));
  for (let n = 0; n < 10; n++) await session.post(LIST);
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

test("a successor that nobody used vanishes; one that was used stays", async () => {
  const [one, other] = [taken(), taken()];
  const used = (await expectNotFound(await one.post(LIST))) ?? "";
  expect((await one.post(LIST, { "Mcp-Session-Id": used })).status).toBe(200);
  const stale = await Promise.all(Array.from({ length: 100 }, () => other.post(LIST)));
  const [unused, ...rest] = new Set(await Promise.all(stale.map(expectNotFound)));
  expect(rest).toEqual([]);
  await emptied(unused ?? "");
  // It was made first: its provisional time is over too.
  const { tables } = await inspect(server.url, used);
  expect(tables["session"]).toMatchObject([{ status: "active" }]);
});

test("a tombstone has nothing of the session but its row, and is forgotten in the end", async () => {
  const { tables } = await inspect(server.url, busy.id);
  expect(tables).toMatchObject({ session: [{ status: "ended" }], stream: [], event: [], entry: [] });
  await emptied(busy.id);
  expect(await expectNotFound(await busy.post(LIST))).toBeNull();
});

test("a session that its client deleted leaves nothing", async () => {
  const session = await openSession(server.url);
  await session.tool("counter");
  expect((await session.fetch("DELETE")).status).toBe(204);
  await emptied(session.id);
  expect((await inspect(server.url, session.id)).tables).toEqual({});
});
