/** Tasks over the death of everything: SIGKILL at each step of their lives. */
import { describe, expect, test } from "vitest";
import { abortObject } from "../support/back-door.ts";
import { describeBeside } from "../support/beside.ts";
import { everywhere } from "./everywhere.ts";
import { mortal, workerd } from "../support/hosts.ts";
import { accept, taskClient, textIn } from "../support/tasks.ts";
import { eventually } from "../support/wait.ts";

const VARS = {
  TEST_AUTH: "on",
  TEST_RERUN: "task_steps,task_words,confirm_delete,task_guarded,task_who",
  TEST_MAX_ATTEMPTS: "4",
  REQUEST_STATE_KEY: "the same in each process that serves this file",
};
/** Longer than it takes until an alarm finds what nobody asks for. */
const ALARM_MS = 40_000;

/**
 * The numbers of the steps that were done. Among several processes what a tool has written is stored a moment after:
 * of a process that is killed in between, the last step is done again.
 */
function stepsOf(done: readonly Readonly<Record<string, unknown>>[], isStoredLater: boolean): unknown[] {
  return done.map((event) => event["n"]).filter((n, index, all) => !isStoredLater || n !== all[index - 1]);
}

describeBeside(everywhere, "on $name", (host) => {
  const isCluster = host.name.includes("cluster");
  /** Each kill is of three processes there. */
  const timeout = isCluster ? 240_000 : 60_000;
  const server = mortal(host, VARS);
  const ann = taskClient(() => server.url, { Authorization: "Bearer ann:1" });
  const reborn = async (): Promise<void> => {
    await server.kill();
    await server.restart();
  };
  const of = (type: string, tag: string) =>
    server.events().filter((event) => event.type === type && event["tag"] === tag);

  test(
    "a task whose tool may run again goes on from its place, over three kills, each step done once",
    { timeout },
    async () => {
      const tag = "thrice";
      const { taskId } = await ann.start("task_steps", { count: 30, ms: 60, tag });
      for (const least of [5, 12, 20]) {
        await eventually(() => expect(of("test.done", tag).length).toBeGreaterThanOrEqual(least));
        await reborn();
        // Found dead by whoever asks.
        await ann.until(taskId, "working");
      }
      const task = await ann.until(taskId, "completed");
      expect(JSON.parse(textIn(task) ?? "")).toEqual({ done: 30, attempt: 4 });
      const done = stepsOf(of("test.done", tag), isCluster);
      expect(done).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    },
  );

  test("one that nobody asks for goes on too", { timeout: ALARM_MS + timeout }, async () => {
    const tag = "alone";
    await ann.start("task_steps", { count: 5, ms: 300, tag });
    await eventually(() => expect(of("test.done", tag).length).toBeGreaterThanOrEqual(1));
    await reborn();
    await eventually(() => expect(of("test.done", tag).at(-1)).toMatchObject({ n: 5, attempt: 2 }), ALARM_MS);
    const done = stepsOf(of("test.done", tag), isCluster);
    expect(done).toEqual([1, 2, 3, 4, 5]);
  });

  test("one whose tool may not run again has failed, and says why", async () => {
    const { taskId } = await ann.start("task_hang", { tag: "unsafe" });
    await eventually(() => expect(of("test.hanging", "unsafe")).toHaveLength(1));
    await reborn();
    const task = await ann.until(taskId, "failed");
    expect(task.error).toMatchObject({ code: -32603, data: { reason: "interrupted", retryable: false } });
    expect(task.statusMessage).toMatch(/interrupted by a restart/);
    await reborn();
    expect(await ann.get(taskId)).toEqual({ ...task });
    expect(of("test.hanging", "unsafe")).toHaveLength(1);
  });

  test("one that is interrupted again and again is given up", { timeout }, async () => {
    const tag = "forever";
    const { taskId } = await ann.start("task_steps", { count: 2, ms: 60_000, tag });
    for (let attempt = 1; attempt <= 4; attempt++) {
      await eventually(() => expect(of("test.step", tag)).toHaveLength(attempt));
      await reborn();
      await ann.get(taskId);
    }
    expect((await ann.until(taskId, "failed")).error).toMatchObject({
      data: { reason: "interrupted", retryable: true },
    });
    expect(of("test.step", tag)).toHaveLength(4);
  });

  test("questions, answers and what a tool wants back outlast it, round for round", { timeout }, async () => {
    const { taskId } = await ann.start("task_words");
    const first = await ann.until(taskId, "input_required");
    await reborn();
    expect((await ann.get(taskId)).inputRequests).toEqual(first.inputRequests);
    const [key = ""] = Object.keys(first.inputRequests ?? {});
    await ann.update(taskId, { [key]: accept({ word: "over" }) });
    await reborn();
    const second = await eventually(async () => {
      const task = await ann.until(taskId, "input_required");
      expect(Object.keys(task.inputRequests ?? {})).not.toContain(key);
      return task;
    });
    const [other = ""] = Object.keys(second.inputRequests ?? {});
    await reborn();
    await ann.update(taskId, { [other]: accept({ word: "done" }) });
    await reborn();
    const task = await ann.until(taskId, "completed");
    expect(textIn(task)).toBe("over done");
    await reborn();
    expect(await ann.get(taskId)).toEqual(task);
  });

  test("an answer to one of two questions is kept", async () => {
    const { taskId } = await ann.start("multi_input");
    const [one = "", two = ""] = Object.keys((await ann.until(taskId, "input_required")).inputRequests ?? {});
    await ann.update(taskId, { [one]: accept({ name: "a" }) });
    await reborn();
    expect(Object.keys((await ann.get(taskId)).inputRequests ?? {})).toEqual([two]);
    await ann.update(taskId, { [two]: accept({ name: "b" }) });
    expect(textIn(await ann.until(taskId, "completed"))).toBe("a and b");
  });

  test("what was cancelled stays so", async () => {
    const { taskId } = await ann.start("task_steps", { count: 100, ms: 50, tag: "stopped" });
    await ann.cancel(taskId);
    await reborn();
    expect((await ann.get(taskId)).status).toBe("cancelled");
    expect(of("test.step", "stopped").every(({ attempt }) => attempt === 1)).toBe(true);
  });

  test("a tool that needs a scope runs again without its caller, who had shown it", { timeout }, async () => {
    const scoped = taskClient(() => server.url, {
      Authorization: "Bearer ann:1",
      "X-Scopes": "notes:write",
    });
    expect((await ann.call("task_guarded")).result).toBeUndefined();
    const { taskId } = await scoped.start("task_guarded");
    await eventually(() => expect(server.events().some(({ type }) => type === "test.guarded")).toBe(true));
    await reborn();
    expect(textIn(await scoped.until(taskId, "completed"))).toBe("done");
    expect(
      server
        .events()
        .filter(({ type }) => type === "test.guarded")
        .map(({ attempt }) => attempt),
    ).toEqual([1, 2]);
  });

  test("a task is told of by its events, with none of its words", async () => {
    const { taskId } = await ann.start("task_who");
    await ann.until(taskId, "completed");
    const own = server
      .events()
      .filter(({ task }) => task === taskId.slice(0, 8))
      .map(({ time: _time, ...event }) => event);
    expect(own).toEqual([
      { type: "task.created", level: "info", task: taskId.slice(0, 8), tool: "task_who" },
      { type: "task.ended", level: "info", task: taskId.slice(0, 8), status: "completed" },
    ]);
  });
});

describe("an object that dies by itself", () => {
  const server = mortal(workerd, VARS);
  const ann = taskClient(() => server.url, { Authorization: "Bearer ann:1" });
  const of = (type: string, tag: string) =>
    server.events().filter((event) => event.type === type && event["tag"] === tag);

  test("is taken up where it stood, and its task goes on", async () => {
    const tag = "object";
    const { taskId } = await ann.start("task_steps", { count: 10, ms: 60, tag });
    await eventually(() => expect(of("test.done", tag).length).toBeGreaterThanOrEqual(3));
    await abortObject(server.url, taskId.split(".")[0] ?? "");
    const task = await ann.until(taskId, "completed");
    expect(JSON.parse(textIn(task) ?? "")).toEqual({ done: 10, attempt: 2 });
  });
});
