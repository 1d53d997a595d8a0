/** Who hears of a change is found without reading what others keep. */
import { expect, test } from "vitest";
import { createLocalHub } from "../../src/local/changes.ts";
import { openDatabase } from "../../src/local/database.ts";
import { LISTS } from "../../src/session/interest.ts";
import { subscriptionName } from "../../src/session/server/journal.ts";
import type { SqlStore, SqlValue } from "../../src/session/store/schema.ts";
import { createSessionStore } from "../../src/session/store/store.ts";

/** A file with sessions that all keep state and subscribe to a resource of their own; the last also listens to lists. */
function stored(count: number): SqlStore {
  const sql = openDatabase(undefined);
  for (let key = 1; key <= count; key++) {
    const store = createSessionStore(sql, key);
    store.open({
      id: `s${key}`,
      kind: "streamable",
      status: "active",
      principal: null,
      version: "2025-11-25",
      initialize: null,
      initialized: 1,
      standalone: 1,
      created: 1,
      seen: 1,
      ended: null,
      successor: null,
      greeting: null,
    });
    store.putEntry("state", "default", "{}");
    store.putEntry("state", subscriptionName("test://1"), "{}");
    store.putEntry("watch", key === count ? "lists" : `tenant ${key}`, key === count ? LISTS : "resources");
    store.putEntry("sticky", subscriptionName(`test://${key}`), "{}");
  }
  return sql;
}

test.each([
  ["a resource", { kind: "resource_updated", uri: "test://7" } as const, "tenant 7", "s7"],
  ["a list", { kind: "tools_list_changed" } as const, "lists", "s20"],
])("a change of %s is told to its watcher, found by an index", async (_, change, topic, expected) => {
  const sql = stored(20);
  const asked: { statement: string; bindings: SqlValue[] }[] = [];
  const watched: SqlStore = {
    ...sql,
    exec(statement, ...bindings) {
      asked.push({ statement, bindings });
      return sql.exec(statement, ...bindings);
    },
  };
  const told: string[] = [];
  const hub = createLocalHub(
    watched,
    async (id) => void told.push(id),
    (error) => {
      throw error;
    },
  );
  hub.bus(topic).publish(change);
  await Promise.resolve();
  await Promise.resolve();
  expect(told).toEqual([expected]);
  expect(asked).toHaveLength(1);
  for (const { statement, bindings } of asked) {
    const plan = sql.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${statement}`, ...bindings);
    const steps = plan.map(({ detail }) => detail);
    expect(steps.filter((step) => step.startsWith("SCAN"))).toEqual([]);
    expect(steps[0]).toContain("entry_name");
  }
});
