/** Tasks among several processes: each in one of them, told of by all, and taken over from one that ends. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { clusterHost } from "../../src/cluster/host.ts";
import { createMcpRouter } from "../../src/router.ts";
import { askedEngine } from "../support/asked-engine.ts";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { answerOf } from "../support/mcp.ts";
import { textOf } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { testDatabase } from "../support/postgres.ts";
import { KNOWS_TASKS, type TaskClient, taskClient, textIn } from "../support/tasks.ts";
import { testModern } from "../support/test-modern.ts";
import { createTestServer } from "../support/test-server.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually } from "../support/wait.ts";

const VARS = { TEST_LEASE_MS: "1500", TEST_AUTH: "on", TEST_RERUN: "task_steps", TEST_MAX_TASKS_EACH: "30" };
/** Longer than it takes until an alarm finds what nobody asks for. */
const ALARM_MS = 40_000;

vi.setConfig({ testTimeout: 60_000 });

let cluster: Cluster;
beforeAll(async () => {
  vi.stubGlobal("fetch", unpooledFetch);
  cluster = await startCluster({ vars: VARS });
});
afterAll(() => cluster.close());
/** Ended by a test, and started again before the next. */
const ended = new Set<Member>();
beforeEach(async () => {
  for (const member of ended) await member.start();
  ended.clear();
});

const at = (n: number): Member => cluster.members[n] as Member;
const by = (n: number, principal = "ann"): TaskClient =>
  taskClient(() => at(n).url, { Authorization: `Bearer ${principal}:1` });
const idOf = (taskId: string): string => taskId.split(".")[0] ?? "";
const of = (type: string, tag: string) =>
  cluster.events().filter((event) => event.type === type && event["tag"] === tag);
const end = async (n: number, signal: NodeJS.Signals): Promise<void> => {
  ended.add(at(n));
  await at(n).end(signal);
};
const done = (tag: string) => eventually(() => expect(of("test.done", tag).length).toBeGreaterThanOrEqual(3));
/** The steps that were done. What is stored a moment later is not yet, of a process that is killed: its last one is done again. */
const stepsOf = (tag: string): unknown[] =>
  of("test.done", tag)
    .map(({ n }) => n)
    .filter((n, index, all) => n !== all[index - 1]);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("a task", () => {
  test("is where its call came in; any process tells of it, and ends it", async () => {
    const { taskId } = await by(0).start("task_hang", { tag: "ended" });
    expect(await cluster.ownerOf(idOf(taskId))).toBe(at(0));
    for (const n of [0, 1, 2]) expect((await by(n).get(taskId)).status).toBe("working");
    await by(2).cancel(taskId);
    await eventually(() =>
      expect(
        at(0)
          .events()
          .map(({ type }) => type),
      ).toContain("test.cancelled"),
    );
    for (const n of [0, 1, 2]) expect((await by(n).get(taskId)).status).toBe("cancelled");
  });

  test("is unknown to another's client in all of them, as is a forged id, and is no session", async () => {
    const { taskId } = await by(0).start("task_hang", { tag: "mine" });
    const [id = "", mark = ""] = taskId.split(".");
    const forged = id.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    for (const n of [0, 1]) {
      for (const [principal, asked] of [
        ["bob", taskId],
        ["ann", `${forged}.${mark}`],
      ] as const) {
        expect(await by(n, principal).ask("tasks/get", { taskId: asked })).toMatchObject({
          error: { message: expect.stringContaining("Task not found") as string },
        });
      }
      const headers = { Authorization: "Bearer ann:1", "Mcp-Session-Id": id };
      expect((await fetch(`${at(n).url}/mcp`, { method: "DELETE", headers })).status).toBe(404);
    }
    expect(await cluster.ownerOf(id)).toBe(at(0));
    await by(1).cancel(taskId);
  });

  test("goes on from its place where its process is killed, by whoever is asked, each step done once", async () => {
    const { taskId } = await by(0).start("task_steps", { count: 30, ms: 50, tag: "killed" });
    await done("killed");
    await end(0, "SIGKILL");
    await by(1).until(taskId, "working");
    expect(await cluster.ownerOf(idOf(taskId))).toBe(at(1));
    const task = await by(2).until(taskId, "completed");
    expect(JSON.parse(textIn(task) ?? "")).toEqual({ done: 30, attempt: 2 });
    expect(stepsOf("killed")).toEqual(upTo(30));
  });

  test("goes on where nobody asks, by its alarm", { timeout: ALARM_MS + 20_000 }, async () => {
    await by(0).start("task_steps", { count: 10, ms: 200, tag: "alone" });
    await done("alone");
    await end(0, "SIGKILL");
    await eventually(
      () => expect(of("test.done", "alone").at(-1)).toMatchObject({ n: 10, attempt: 2 }),
      ALARM_MS,
    );
    expect(stepsOf("alone")).toEqual(upTo(10));
  });

  test("is handed over by a process that is told to end", async () => {
    const { taskId } = await by(0).start("task_steps", { count: 30, ms: 50, tag: "told" });
    await done("told");
    await end(0, "SIGTERM");
    await by(1).until(taskId, "working");
    const task = await by(2).until(taskId, "completed");
    expect(JSON.parse(textIn(task) ?? "")).toEqual({ done: 30, attempt: 2 });
    expect(of("test.done", "told").map(({ n }) => n)).toEqual(upTo(30));
  });

  test("has failed with its process where it may not run again, and says so", async () => {
    const { taskId } = await by(0).start("task_hang", { tag: "unsafe" });
    await eventually(() => expect(of("test.hanging", "unsafe")).toHaveLength(1));
    await end(0, "SIGKILL");
    const task = await by(1).until(taskId, "failed");
    expect(task.error).toMatchObject({ code: -32603, data: { reason: "interrupted", retryable: false } });
    expect(of("test.hanging", "unsafe")).toHaveLength(1);
  });

  test("of a process that is stopped past its lease is another's: what the zombie says of it counts no more", async () => {
    const { taskId } = await by(0).start("task_steps", { count: 40, ms: 100, tag: "zombie" });
    await done("zombie");
    at(0).signal("SIGSTOP");
    await by(1).until(taskId, "working", 20_000);
    await eventually(async () => expect(await cluster.ownerOf(idOf(taskId))).toBe(at(1)), 20_000);
    at(0).signal("SIGCONT");
    await eventually(() =>
      expect(
        at(0)
          .events()
          .map(({ type }) => type),
      ).toContain("cluster.left"),
    );
    const task = await by(0).until(taskId, "completed");
    expect(JSON.parse(textIn(task) ?? "")).toEqual({ done: 40, attempt: 2 });
    const second = of("test.done", "zombie").filter(({ attempt }) => attempt === 2);
    // From where it was stored, to the end.
    expect(second.map(({ n }) => n)).toEqual(upTo(40).slice(-second.length));
    expect(second.length).toBeLessThan(40);
  });

  test("counts among those of its principal in whichever process it is", async () => {
    for (let n = 0; n < 30; n++) await by(n % 3, "cleo").start("task_wait", { ms: 0 });
    for (const n of [0, 1, 2]) {
      expect(await by(n, "cleo").call("task_wait", { ms: 0 })).toMatchObject({
        error: { code: -32000, message: expect.stringContaining("30 tasks are kept already") as string },
      });
    }
    expect((await by(0, "dora").start("task_wait", { ms: 0 })).status).toBe("working");
  });
});

test("of tasks whose time is up nothing is left, though their process is gone", async () => {
  const own = await testDatabase(cluster.database.url);
  const short = await startCluster({
    vars: { ...VARS, TEST_TASK_TTL_MS: "4000" },
    runtimes: ["node", "node"],
    database: own,
  });
  try {
    const ann = taskClient(() => short.members[0]?.url ?? "", { Authorization: "Bearer ann:1" });
    for (const name of ["task_hang", "task_wait"]) {
      for (let n = 0; n < 10; n++) await ann.start(name, name === "task_hang" ? { tag: "left" } : { ms: 0 });
    }
    await short.members[0]?.end("SIGKILL");
    await eventually(async () => {
      expect(await own.query("SELECT tbl, pk FROM holdfast.row")).toEqual([]);
      expect(await own.query("SELECT id FROM holdfast.session")).toEqual([]);
    }, 45_000);
  } finally {
    await short.close();
    await own.close();
  }
});

test("a quick call that may be a task asks the database nothing, and one that is a task stores it at once", async () => {
  const database = await testDatabase(cluster.database.url);
  const { engine, asked } = await askedEngine(database.url);
  const { modern } = testModern({ TEST_TASK_AFTER_MS: "20000" });
  const host = await clusterHost(engine, {
    createServer: createTestServer,
    address: "http://127.0.0.1:1",
    leaseMs: 600_000,
    guest: modern?.guest,
  });
  try {
    const router = createMcpRouter({ host, hub: host.hub, modern });
    const call = async (name: string) => {
      const message = modernRequest("tools/call", { name, arguments: { ms: 0 } }, undefined, KNOWS_TASKS);
      const request = new Request("http://127.0.0.1/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headersFor(message),
        },
        body: JSON.stringify(message),
      });
      return answerOf(await router.fetch(request), message.id);
    };
    const LOOKS = ["members", "due", "count", "sweep", "fence"];
    const since = (): string[] => asked.filter((name) => !LOOKS.includes(name));
    asked.length = 0;
    for (let n = 0; n < 20; n++) expect(textOf(await call("maybe_wait"))).toBe("waited 0");
    expect(since()).toEqual([]);
    expect((await call("task_wait")).result).toMatchObject({ resultType: "task" });
    expect(since().slice(0, 2)).toEqual(["countGuests", "flush"]);
    const [stored] = await database.query("SELECT status FROM holdfast.session");
    expect(stored).toEqual({ status: "guest" });
  } finally {
    await host.close();
    await database.close();
  }
});
