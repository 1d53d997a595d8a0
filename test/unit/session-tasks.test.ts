/** The store of a session's tasks, by itself. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SessionInfo, SessionState } from "../../src/session/server/factory.ts";
import { sessionTaskStore } from "../../src/tasks/session-tasks.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A session whose state takes values of so many characters. */
function sessionOf(values = new Map<string, string>(), most = 10_000): (rehydrated: boolean) => SessionInfo {
  const state: SessionState = {
    get: <T>(name: string) => (values.has(name) ? (JSON.parse(values.get(name) as string) as T) : undefined),
    set(name, value) {
      const json = JSON.stringify(value);
      if (json.length > most) throw new RangeError("too much (maxStateBytes)");
      values.set(name, json);
    },
    delete: (name) => values.delete(name),
    keys: () => [...values.keys()].toSorted(),
  };
  return (rehydrated) => ({ id: "s", principal: undefined, state, rehydrated });
}

const REQUEST = { method: "tools/call", params: { name: "slow" } };

describe("the store", () => {
  test.each([
    ["ttlMs", 999],
    ["ttlMs", 31_536_000_001],
    ["pollIntervalMs", 0],
    ["maxTasks", 0],
    ["maxTasks", 1.5],
  ])("%s of %d is refused by name", (name, value) => {
    expect(() => sessionTaskStore(sessionOf()(false), { [name]: value })).toThrow(
      new RegExp(`^${name} must be`),
    );
  });

  test.each([
    [undefined, 5000],
    [null, 5000],
    [1000, 1000],
    [6000, 5000],
    [-1, 5000],
  ])("a client that asks for %s ms gets %d, and after them there is nothing", async (asked, ttl) => {
    const values = new Map<string, string>();
    const store = sessionTaskStore(sessionOf(values)(false), { ttlMs: 5000 });
    const params = asked === undefined ? {} : { ttl: asked };
    const { taskId, ...task } = await store.createTask(params, 1, REQUEST);
    expect(task).toMatchObject({ status: "working", ttl, pollInterval: 1000 });
    await store.storeTaskResult(taskId, "completed", { content: [] });
    vi.advanceTimersByTime(ttl - 1);
    expect(await store.getTaskResult(taskId)).toEqual({ content: [] });
    vi.advanceTimersByTime(1);
    expect(await store.getTask(taskId)).toBeNull();
    await expect(store.getTaskResult(taskId)).rejects.toThrow(/no result/);
    expect(values.size).toBe(0);
  });

  test("there are no more than may be, those whose time is up not counted", async () => {
    const store = sessionTaskStore(sessionOf()(false), { maxTasks: 2 });
    await store.createTask({ ttl: 1000 }, 1, REQUEST);
    await store.createTask({}, 2, REQUEST);
    await expect(store.createTask({}, 3, REQUEST)).rejects.toThrow("2 tasks already (maxTasks)");
    vi.advanceTimersByTime(1000);
    await store.createTask({}, 3, REQUEST);
  });

  test("a task that is over stays as it is", async () => {
    const store = sessionTaskStore(sessionOf()(false));
    const { taskId } = await store.createTask({}, 1, REQUEST);
    await store.updateTaskStatus(taskId, "input_required", "which one?");
    expect(await store.getTask(taskId)).toMatchObject({
      status: "input_required",
      statusMessage: "which one?",
    });
    await store.storeTaskResult(taskId, "completed", { content: [] });
    await expect(store.updateTaskStatus(taskId, "working")).rejects.toThrow(/completed already/);
    await expect(store.storeTaskResult(taskId, "failed", {})).rejects.toThrow(/completed already/);
    await expect(store.storeTaskResult("none", "failed", {})).rejects.toThrow(/not found/);
  });

  test("a result that has no room is one failure that says so", async () => {
    const store = sessionTaskStore(sessionOf(undefined, 500)(false));
    const { taskId } = await store.createTask({}, 1, REQUEST);
    await store.storeTaskResult(taskId, "completed", { content: "x".repeat(600) });
    expect(await store.getTask(taskId)).toMatchObject({
      status: "failed",
      statusMessage: expect.stringContaining("maxStateBytes") as string,
    });
    expect(await store.getTaskResult(taskId)).toMatchObject({ isError: true });
  });

  test("where the state is full, a restart fails its tasks, or forgets them, and the server starts", async () => {
    const values = new Map<string, string>();
    /** A session whose state takes so many characters in all. */
    const within = (most: number, rehydrated: boolean): SessionInfo => {
      const session = sessionOf(values)(rehydrated);
      const set: SessionState["set"] = (name, value) => {
        const others = [...values].reduce(
          (sum, [other, json]) => sum + (other === name ? 0 : json.length),
          0,
        );
        if (others + JSON.stringify(value).length > most) throw new RangeError("too much (maxStateBytes)");
        session.state.set(name, value);
      };
      return { ...session, state: { ...session.state, set } };
    };
    const size = (): number => [...values.values()].join("").length;
    const store = sessionTaskStore(within(100_000, false));
    const asked = await store.createTask({}, 1, { method: "tools/call", params: { pad: "x".repeat(300) } });
    const bare = await store.createTask({}, 2, {});
    const after = sessionTaskStore(within(size(), true));
    expect(await after.getTask(asked.taskId)).toMatchObject({ status: "failed" });
    // What was freed is enough for both.
    expect(await after.getTask(bare.taskId)).toMatchObject({ status: "failed" });

    values.clear();
    const only = await sessionTaskStore(within(100_000, false)).createTask({}, 1, {});
    expect(await sessionTaskStore(within(size(), true)).getTask(only.taskId)).toBeNull();
  });

  test("a list is in the order of creation, page by page, each task once", async () => {
    const store = sessionTaskStore(sessionOf()(false), { maxTasks: 120 });
    const made: string[] = [];
    for (let n = 0; n < 120; n++) made.push((await store.createTask({}, n, REQUEST)).taskId);
    const listed: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await store.listTasks(cursor);
      listed.push(...page.tasks.map(({ taskId }) => taskId));
      cursor = page.nextCursor;
      pages++;
    } while (cursor !== undefined);
    expect({ listed, pages }).toEqual({ listed: made, pages: 3 });
    await expect(store.listTasks("x")).rejects.toThrow(/cursor/);
  });

  test("the next server fails what was under way, but for what goes on", async () => {
    const session = sessionOf();
    const before = sessionTaskStore(session(false));
    const make = async (name: string): Promise<string> =>
      (await before.createTask({}, 1, { method: "tools/call", params: { name } })).taskId;
    const [done, lost, goesOn] = [await make("done"), await make("lost"), await make("elsewhere")];
    await before.storeTaskResult(done, "completed", { content: [] });
    const asked: unknown[] = [];
    const after = sessionTaskStore(session(true), {
      resume({ task, request }) {
        asked.push(task.taskId);
        return (request["params"] as { name: string }).name === "elsewhere";
      },
    });
    expect(asked).toEqual([lost, goesOn]);
    const statuses = (await after.listTasks()).tasks.map(({ status }) => status);
    expect(statuses).toEqual(["completed", "failed", "working"]);
    expect(await after.getTaskResult(lost)).toMatchObject({ isError: true });
    await after.storeTaskResult(goesOn, "completed", { content: [] });
  });
});
