/** Tasks as a raw client of 2026-07-28 meets them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { everywhere } from "./everywhere.ts";
import { describeBeside } from "../support/beside.ts";
import { mortal, workerd } from "../support/hosts.ts";
import type { ProcessServer } from "../support/process.ts";
import { textOf } from "../support/messages.ts";
import { headersFor, modernRequest, postModern } from "../support/modern.ts";
import { startNode } from "../support/node.ts";
import { accept, KNOWS_TASKS, taskClient, textIn } from "../support/tasks.ts";
import { readEvents } from "../support/sse.ts";
import type { Served } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const NOT_FOUND = { error: { code: -32602, message: expect.stringContaining("Task not found") as string } };

const heard = (server: Served, type: string, tag: string) =>
  eventually(() => {
    const found = server.events().find((event) => event.type === type && event["tag"] === tag);
    expect(found).toBeDefined();
    return found;
  });

describeBeside(everywhere, "on $name", (host) => {
  const server = mortal(host, {
    TEST_AUTH: "on",
    TEST_TASK_AFTER_MS: "300",
    REQUEST_STATE_KEY: "the same in each process that serves this file",
  });
  const url = (): string => server.url;
  const as = (principal: string, capabilities?: Record<string, unknown>) =>
    taskClient(url, { Authorization: `Bearer ${principal}:1` }, capabilities);
  const ann = as("ann");
  const said = (type: string, tag: string) => heard(server, type, tag);

  describe("a call of a tool that is a task", () => {
    test("is answered with the task, which brings the tool's result", async () => {
      const started = await ann.start("task_wait", { ms: 50 });
      expect(started).toMatchObject({ status: "working", ttlMs: 86_400_000, pollIntervalMs: 100 });
      for (const name of ["result", "error", "inputRequests", "requestState"])
        expect(started).not.toHaveProperty(name);
      const task = await ann.until(started.taskId, "completed");
      expect(textIn(task)).toBe("waited 50");
      expect(task).toMatchObject({ resultType: "complete", createdAt: started.createdAt });
      expect(Date.parse(task.lastUpdatedAt)).toBeGreaterThanOrEqual(Date.parse(task.createdAt));
    });

    test("is refused where the client does not say that it knows tasks", async () => {
      const required = { extensions: { "io.modelcontextprotocol/tasks": {} } };
      const error = { code: -32021, data: { requiredCapabilities: required } };
      for (const capabilities of [{}, { extensions: {} }]) {
        expect(await as("ann", capabilities).call("task_wait", { ms: 1 })).toMatchObject({ error });
      }
      const message = modernRequest("tools/call", { name: "task_wait", arguments: { ms: 1 } });
      const headers = { ...headersFor(message), Authorization: "Bearer ann:1" };
      expect((await postModern(url(), message, headers)).status).toBe(400);
    });

    test("is one whose arguments are at fault, and says so as a result", async () => {
      const { taskId } = await ann.start("task_wait", { ms: "soon" });
      const { result } = await ann.until(taskId, "completed");
      expect(result).toMatchObject({ isError: true });
    });

    test("fails where the tool is not there", async () => {
      const { taskId } = await ann.start("task_unheard_of");
      expect((await ann.until(taskId, "failed")).error).toMatchObject({ code: -32602 });
    });

    test.each(["task_broken", "task_odd"])("%s: an option that fails gets nothing done", async (name) => {
      expect(await ann.call(name)).toMatchObject({ error: { code: -32603 } });
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "hook.error", hook: "tasks.tool" }),
        ),
      );
    });
  });

  describe("a call of a tool that may be a task", () => {
    test("stays a plain one where it is quick", async () => {
      const answer = await ann.call("maybe_wait", { ms: 1 });
      expect(textOf(answer)).toBe("waited 1");
      expect(answer.result).toMatchObject({ resultType: "complete" });
    });

    test("becomes one where it takes long", async () => {
      const { taskId } = await ann.start("maybe_wait", { ms: 600 });
      expect(textIn(await ann.until(taskId, "completed"))).toBe("waited 600");
    });

    test("stays a plain one, however long, where the client does not know tasks", async () => {
      expect(textOf(await as("ann", {}).call("maybe_wait", { ms: 600 }))).toBe("waited 600");
    });
  });

  describe("a call that is no task yet", () => {
    const patient = mortal(host, { TEST_TASK_AFTER_MS: "60000" });

    test("is cancelled with its connection", async () => {
      const message = modernRequest(
        "tools/call",
        { name: "maybe_hang", arguments: { tag: "left" } },
        undefined,
        KNOWS_TASKS,
      );
      const leaving = new AbortController();
      const call = postModern(patient.url, message, headersFor(message), leaving.signal).catch(
        () => undefined,
      );
      await heard(patient, "test.hanging", "left");
      leaving.abort();
      await call;
      await heard(patient, "test.cancelled", "left");
    });
  });

  describe("what a task is told and asked", () => {
    test("era, attempt and principal, with the caller's authInfo and without his credentials", async () => {
      const { taskId } = await ann.start("task_who");
      expect(JSON.parse(textIn(await ann.until(taskId, "completed")) ?? "")).toEqual({
        era: "task",
        principal: "ann",
        attempt: 1,
        isId: true,
        token: "ann:1",
        authorization: null,
      });
    });

    test("input in rounds, each under keys of its own, from a sealed state", async () => {
      const { taskId } = await ann.start("task_words");
      const first = await ann.until(taskId, "input_required");
      const [key = ""] = Object.keys(first.inputRequests ?? {});
      expect(first.inputRequests).toEqual({
        [key]: {
          method: "elicitation/create",
          params: expect.objectContaining({ message: "Word 1?" }) as unknown,
        },
      });
      expect((await ann.get(taskId)).inputRequests).toEqual(first.inputRequests);
      expect((await ann.update(taskId, { [key]: accept({ word: "well" }) })).result).toMatchObject({
        resultType: "complete",
      });
      const second = await eventually(async () => {
        const task = await ann.until(taskId, "input_required");
        expect(Object.keys(task.inputRequests ?? {})).not.toContain(key);
        return task;
      });
      const [other = ""] = Object.keys(second.inputRequests ?? {});
      // An answer to what is not asked any more counts for nothing.
      await ann.update(taskId, { [key]: accept({ word: "late" }) });
      expect((await ann.get(taskId)).status).toBe("input_required");
      await ann.update(taskId, { [other]: accept({ word: "done" }) });
      expect(textIn(await ann.until(taskId, "completed"))).toBe("well done");
    });

    test("a word of the client's model", async () => {
      const { taskId } = await ann.start("task_model");
      const { inputRequests = {} } = await ann.until(taskId, "input_required");
      const [key = ""] = Object.keys(inputRequests);
      expect(inputRequests[key]).toMatchObject({
        method: "sampling/createMessage",
        params: { maxTokens: 10 },
      });
      const content = { type: "text", text: "said" };
      await ann.update(taskId, { [key]: { role: "assistant", model: "m", content } });
      expect(textIn(await ann.until(taskId, "completed"))).toBe("said");
    });

    test("input that does not fit is refused, and nothing of it taken", async () => {
      const { taskId } = await ann.start("multi_input");
      const { inputRequests = {} } = await ann.until(taskId, "input_required");
      const [one = "", two = ""] = Object.keys(inputRequests);
      for (const wrong of ["yes", null, [], {}, { action: "maybe" }]) {
        const refused = await ann.update(taskId, { [one]: accept({ name: "a" }), [two]: wrong });
        expect(refused.error).toMatchObject({ code: -32602 });
      }
      expect((await ann.ask("tasks/update", { taskId, inputResponses: [] })).error).toMatchObject({
        code: -32602,
      });
      expect((await ann.get(taskId)).inputRequests).toEqual(inputRequests);
      await ann.update(taskId, { [one]: accept({ name: "a" }) });
      expect(Object.keys((await ann.get(taskId)).inputRequests ?? {})).toEqual([two]);
      // The first answer to a question is the one that counts.
      await ann.update(taskId, { [one]: accept({ name: "z" }), [two]: accept({ name: "b" }) });
      expect(textIn(await ann.until(taskId, "completed"))).toBe("a and b");
    });

    test("a tool that declines what it asked for is told so", async () => {
      const { taskId } = await ann.start("confirm_delete", { filename: "f" });
      const [key = ""] = Object.keys((await ann.until(taskId, "input_required")).inputRequests ?? {});
      await ann.update(taskId, { [key]: { action: "decline" } });
      // It asks once more.
      const { inputRequests } = await eventually(async () => {
        const task = await ann.until(taskId, "input_required");
        expect(Object.keys(task.inputRequests ?? {})).not.toEqual([key]);
        return task;
      });
      expect(Object.keys(inputRequests ?? {})).toHaveLength(1);
      await ann.cancel(taskId);
    });

    test("input that its client cannot give fails the task", async () => {
      const poor = as("ann", { extensions: KNOWS_TASKS.extensions });
      const { taskId } = await poor.start("confirm_delete", { filename: "f" });
      expect((await poor.until(taskId, "failed")).error).toMatchObject({ code: -32021 });
    });

    test("nothing but to be called again with what it wants back", async () => {
      const { taskId } = await ann.start("task_again");
      expect(textIn(await ann.until(taskId, "completed"))).toBe("again: 7");
    });

    test("how far it is: by progress that it reports, and by its own word", async () => {
      const { taskId } = await ann.start("task_report");
      await eventually(async () => expect((await ann.get(taskId)).statusMessage).toBe("half"));
      await ann.cancel(taskId);
      expect(await ann.get(taskId)).not.toHaveProperty("statusMessage");
    });

    test("an answer of many parts", async () => {
      const { taskId } = await ann.start("task_bulk", { size: 2_000_000 });
      expect(textIn(await ann.until(taskId, "completed"))).toBe("é😀b".repeat(500_000));
    });
  });

  describe("cancelled", () => {
    test("its tool hears of it, and whatever it answers counts no more", async () => {
      const { taskId } = await ann.start("task_hang", { tag: "cancelled" });
      await said("test.hanging", "cancelled");
      const { result } = await ann.cancel(taskId);
      expect(result).toMatchObject({ resultType: "complete" });
      expect(result).not.toHaveProperty("status");
      expect((await ann.get(taskId)).status).toBe("cancelled");
      await said("test.cancelled", "cancelled");
      expect((await ann.cancel(taskId)).result).toMatchObject({ resultType: "complete" });
      expect((await ann.get(taskId)).status).toBe("cancelled");
    });

    test("its tool can write no more", async () => {
      const { taskId } = await ann.start("task_stray", { tag: "stray" });
      await said("test.hanging", "stray");
      await ann.cancel(taskId);
      expect(await said("test.stray", "stray")).toMatchObject({
        said: expect.stringContaining("has ended") as string,
      });
    });

    test("while it waits for input", async () => {
      const { taskId } = await ann.start("confirm_delete", { filename: "f" });
      const [key = ""] = Object.keys((await ann.until(taskId, "input_required")).inputRequests ?? {});
      await ann.cancel(taskId);
      expect((await ann.update(taskId, { [key]: accept({ confirm: true }) })).result).toBeDefined();
      expect(await ann.get(taskId)).toMatchObject({ status: "cancelled" });
    });

    test("after its end it is what it was", async () => {
      const { taskId } = await ann.start("task_wait", { ms: 0 });
      await ann.until(taskId, "completed");
      expect((await ann.cancel(taskId)).result).toMatchObject({ resultType: "complete" });
      expect(await ann.get(taskId)).toMatchObject({ status: "completed" });
    });
  });

  describe("a task that is not the caller's", () => {
    const METHODS = ["tasks/get", "tasks/update", "tasks/cancel"];
    const params = (taskId: unknown) => ({ taskId, inputResponses: {} });

    test("is unknown to another principal, whatever he makes of its id", async () => {
      const { taskId } = await ann.start("task_hang", { tag: "own" });
      const bob = await as("bob").start("task_wait", { ms: 0 });
      const [id = "", mark = ""] = taskId.split(".");
      const [, bobsMark = ""] = bob.taskId.split(".");
      for (const method of METHODS) {
        for (const forged of [taskId, `${id}.${bobsMark}`, `${bob.taskId.split(".")[0]}.${mark}`, id]) {
          expect(await as("bob").ask(method, params(forged)), `${method} ${forged}`).toMatchObject(NOT_FOUND);
        }
      }
      expect((await ann.get(taskId)).status).toBe("working");
      await ann.cancel(taskId);
    });

    test("is unknown where it was never issued", async () => {
      const forged = [
        "",
        "x",
        "0".repeat(64),
        `${"0".repeat(64)}.${"0".repeat(32)}`,
        `${"f".repeat(64)}.x.y`,
        "a.b",
        "../x",
      ];
      for (const taskId of forged)
        for (const method of METHODS)
          expect(await ann.ask(method, params(taskId)), taskId).toMatchObject(NOT_FOUND);
      for (const taskId of [1, null, {}])
        expect(await ann.ask("tasks/get", { taskId })).toHaveProperty("error");
    });

    test("names no session, and a session no task", async () => {
      const { taskId } = await ann.start("task_hang", { tag: "no session" });
      const [id = ""] = taskId.split(".");
      const headers = { Authorization: "Bearer ann:1", "Mcp-Session-Id": id };
      for (const method of ["DELETE", "GET"]) {
        const answer = await fetch(`${url()}/mcp`, {
          method,
          headers: { ...headers, Accept: "text/event-stream" },
        });
        expect(answer.status).toBe(404);
      }
      expect((await ann.get(taskId)).status).toBe("working");
      await ann.cancel(taskId);
    });
  });
});

describe("a task's object", () => {
  const server = mortal(workerd, { TEST_AUTH: "on" });
  const as = (principal: string) => taskClient(() => server.url, { Authorization: `Bearer ${principal}:1` });

  test("is not woken by whoever comes with another's id, whatever he makes of it", async () => {
    const { taskId } = await as("ann").start("task_wait", { ms: 0 });
    await as("ann").until(taskId, "completed");
    const bob = await as("bob").start("task_wait", { ms: 0 });
    const [id = ""] = taskId.split(".");
    const [, bobsMark = ""] = bob.taskId.split(".");
    const { fetches } = await inspect(server.url, id);
    for (const forged of [taskId, `${id}.${bobsMark}`, id, `${id}.${"0".repeat(32)}`]) {
      for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
        await as("bob").ask(method, { taskId: forged, inputResponses: {} });
      }
    }
    expect((await inspect(server.url, id)).fetches).toBe(fetches);
    await as("ann").get(taskId);
    expect((await inspect(server.url, id)).fetches).toBe(fetches + 1);
  });
});

describe("a call that is a task", () => {
  let started: ProcessServer | undefined;
  beforeAll(async () => {
    started = await startNode({ vars: { HOLDFAST_MAX_CALL_MS: "300" } });
  });
  afterAll(() => started?.close());
  const running = (): ProcessServer => {
    if (started === undefined) throw new Error("the server runs only while the tests do");
    return started;
  };
  const client = taskClient(() => running().url);

  test("has its own time, and not that of a plain one", async () => {
    const plain = taskClient(() => running().url, {}, {});
    expect((await plain.call("maybe_wait", { ms: 2000 })).error).toMatchObject({
      data: { reason: "timeout" },
    });
    const { taskId } = await client.start("task_wait", { ms: 900 });
    expect(textIn(await client.until(taskId, "completed"))).toBe("waited 900");
  });

  test("is heard of until the server says goodbye", async () => {
    const { taskId } = await client.start("task_hang", { tag: "goodbye" });
    const message = modernRequest(
      "subscriptions/listen",
      { notifications: { taskIds: [taskId] } },
      "l",
      KNOWS_TASKS,
    );
    const stream = readEvents(await postModern(running().url, message));
    await stream.messages(2);
    await running().end("SIGTERM");
    expect((await stream.rest()).at(-1)).toMatchObject({ id: "l", result: { resultType: "complete" } });
    await running().restart();
    // It was interrupted, as by any end of the process.
    expect((await client.until(taskId, "failed")).error).toMatchObject({ data: { reason: "interrupted" } });
  });
});
