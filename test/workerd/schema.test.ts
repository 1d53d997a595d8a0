/** An object that another version has stored: brought forward, or left alone. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { initialize, type Message, notification, numbersOf, request } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { rowsV1, SCHEMA_V1 } from "../support/schema-v1.ts";
import { type PoolSession, evict, inspectObject, openSession } from "./client.ts";
import { toldBy } from "./index.ts";

/** Runs statements in the object, which then forgets that it ever ran. */
async function rewrite({ stub }: PoolSession, statements: readonly string[]): Promise<void> {
  await runInDurableObject(stub, (_, { storage }) => {
    for (const statement of statements) storage.sql.exec(statement);
  });
  await evict(stub);
}

describe("a session that an earlier version stored", () => {
  const TABLES = ["session", "stream", "event", "entry"];

  const stored = async (): Promise<PoolSession> => {
    const session = await openSession("calm");
    const { params } = initialize();
    await rewrite(session, [
      ...TABLES.map((table) => `DROP TABLE ${table}`),
      ...SCHEMA_V1,
      ...rowsV1(session.id, JSON.stringify(params), Date.now()),
    ]);
    return session;
  };

  test("goes on: its state, its subscription, and what its client has not had yet", async () => {
    const session = await stored();
    expect(await session.tool("counter", { by: 1 })).toBe("42");
    const stream = await session.get();
    await stream.until(() => stream.messages.some(({ data }) => data !== ""), "what was stored");
    const heard = (): Message[] =>
      stream.messages.filter(({ data }) => data !== "").map(({ data }) => JSON.parse(data) as Message);
    expect(numbersOf(heard())).toEqual([3]);
    await session.tool("burst", { tag: "new", sizes: [1], on: "standalone" });
    await stream.until(() => heard().length === 2, "a message of this version");
    const { tables } = await inspectObject(session.stub);
    expect(tables["session"]).toMatchObject([{ schema: 2, id: session.id }]);
    expect(tables["event"]?.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    // What its client was known to have had when the fourth was stored.
    expect(Number(tables["event"]?.at(-1)?.["handed"])).toBeGreaterThanOrEqual(2);
    stream.leave();
    const unsubscribed = await session.post(request("resources/unsubscribe", { uri: "test://one" }));
    await unsubscribed.text();
    expect((await inspectObject(session.stub)).tables["entry"]?.map(({ name }) => name)).not.toContain(
      "resources/subscribe test://one",
    );
  });
});

describe("a session that a later version stored", () => {
  test("is refused and told of, whoever asks for it, and nothing of it is touched", async () => {
    const session = await openSession("calm");
    await session.tool("counter", { by: 1 });
    await rewrite(session, [
      "UPDATE session SET schema = 99",
      "ALTER TABLE session ADD COLUMN later TEXT DEFAULT 'x'",
    ]);
    const { tables } = await inspectObject(session.stub);
    const asked = await session.post(request("ping", undefined, "p"));
    expect(await asked.clone().text()).toContain("later version");
    await expectNotNow(asked, "p");
    for (const ask of [
      () => session.post(notification("notifications/x")),
      () => session.post(initialize()),
      () => session.remove(),
    ]) {
      const answer = await ask();
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(await answer.text()).toContain("later version");
    }
    await expect(session.get()).rejects.toThrow("503");
    expect(toldBy("calm")).toContainEqual({
      type: "storage.newer",
      level: "error",
      time: expect.any(Number),
      session: session.id.slice(0, 8),
      found: 99,
      known: 2,
    });
    // Its alarm does nothing to it either, and rings again.
    expect(await runDurableObjectAlarm(session.stub)).toBe(true);
    const after = await inspectObject(session.stub);
    expect(after.tables).toEqual(tables);
    expect(after.alarm).not.toBeNull();

    // Back with the version that knows it.
    await rewrite(session, ["UPDATE session SET schema = 2"]);
    expect(await session.tool("counter", { by: 1 })).toBe("2");
  });
});
