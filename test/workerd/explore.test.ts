import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { inspectObject, openSession } from "./client.ts";
import { countsOf } from "./index.ts";
import { toolCall } from "../support/messages.ts";

test("x", async () => {
  const s = await openSession("calm");
  console.log("opened", countsOf(s.id), countsOf(s.id).rowsWritten());
  console.log(await s.tool("echo", { text: "a" }), countsOf(s.id).rowsWritten(), countsOf(s.id).fetches);
  const g = await s.get();
  console.log("get", countsOf(s.id).rowsWritten(), countsOf(s.id).fetches);
  const t0 = Date.now();
  await evictDurableObject(s.stub);
  console.log("evicted", Date.now() - t0, g.state);
  console.log(await s.tool("burst", { tag: "a", sizes: [1, 2, 600000, 4], intervalMs: 0, on: "standalone" }));
  await g.until(() => g.messages.length === 5, "msgs");
  console.log(countsOf(s.id), countsOf(s.id).rowsWritten());
  const p = s.stream(toolCall("burst", { tag: "b", sizes: [1, 2, 3, 4, 5, 6, 7], intervalMs: 300, on: "request" }));
  const st = await p;
  await st.until(() => st.messages.length === 2, "msgs");
  const t1 = Date.now();
  await evictDurableObject(s.stub);
  console.log("evicted in flight", Date.now() - t1, st.messages.map((m) => m.data.slice(0, 150)), st.state);
  await new Promise((r) => setTimeout(r, 1500));
  console.log(st.messages.map((m) => m.data.slice(0, 150)), st.state, countsOf(s.id), g.state);
  const i = await inspectObject(s.stub);
  console.log({ ...i, tables: Object.fromEntries(Object.entries(i.tables).map(([k, v]) => [k, v.length])) });
});
