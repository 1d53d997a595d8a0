/** `notifications/tasks`: a task's changes, heard in whichever isolate its client listens. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { everywhere } from "./everywhere.ts";
import { mortal } from "../support/hosts.ts";
import type { Message } from "../support/messages.ts";
import { headersFor, modernRequest, postModern, SUBSCRIPTION_ID } from "../support/modern.ts";
import { type EventStream, readEvents } from "../support/sse.ts";
import { accept, KNOWS_TASKS, taskClient } from "../support/tasks.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

interface Heard extends EventStream {
  /** The filter that was acknowledged. */
  readonly honored: Record<string, unknown>;
}

async function answerTo(
  url: string,
  notifications: Record<string, unknown>,
  { principal = "ann", capabilities = KNOWS_TASKS as Record<string, unknown> } = {},
): Promise<Response> {
  const message = modernRequest("subscriptions/listen", { notifications }, "listen:1", capabilities);
  return postModern(url, message, { ...headersFor(message), Authorization: `Bearer ${principal}:1` });
}

async function listen(
  url: string,
  notifications: Record<string, unknown>,
  principal?: string,
): Promise<Heard> {
  const stream = readEvents(await answerTo(url, notifications, principal === undefined ? {} : { principal }));
  const { method, params } = await stream.message();
  expect(method).toBe("notifications/subscriptions/acknowledged");
  return Object.assign(stream, { honored: params?.["notifications"] as Record<string, unknown> });
}

const statusIn = ({ params }: Message): unknown => params?.["status"];

describe.each(everywhere)("on $name", (host) => {
  const server = mortal(host, { TEST_AUTH: "on", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" });
  const ann = taskClient(() => server.url, { Authorization: "Bearer ann:1" });

  test("what names no task is passed over, whatever it is", async () => {
    const odd = [{ toString: 1, valueOf: 1 }, [["x"]], null, 5, "", "x", "a.b", "a.b.c"];
    const stream = await listen(server.url, { taskIds: odd, toolsListChanged: true });
    expect(stream.honored).toEqual({ toolsListChanged: true });
    stream.leave();
  });

  test("the present state comes first, then each change, the last with the result", async () => {
    const { taskId } = await ann.start("confirm_delete", { filename: "f" });
    const asking = await ann.until(taskId, "input_required");
    const stream = await listen(server.url, { taskIds: [taskId] });
    expect(stream.honored).toEqual({ taskIds: [taskId] });
    const first = await stream.message();
    expect(first).toMatchObject({
      method: "notifications/tasks",
      params: { taskId, status: "input_required" },
    });
    expect(first.params?.["inputRequests"]).toEqual(asking.inputRequests);
    expect(first.params?.["_meta"]).toMatchObject({ [SUBSCRIPTION_ID]: "listen:1" });
    const [key = ""] = Object.keys(asking.inputRequests ?? {});
    await ann.update(taskId, { [key]: accept({ confirm: true }) });
    const last = await stream.message((message) => statusIn(message) === "completed");
    expect(last.params?.["result"]).toMatchObject({ content: [{ text: "deleted f" }] });
    stream.leave();
  });

  test("with it come changes of other kinds, and no task that was not asked for", async () => {
    const one = await ann.start("task_hang", { tag: "one" });
    const two = await ann.start("task_hang", { tag: "two" });
    const stream = await listen(server.url, { taskIds: [one.taskId], toolsListChanged: true });
    expect(stream.honored).toEqual({ taskIds: [one.taskId], toolsListChanged: true });
    await stream.message((message) => statusIn(message) === "working");
    await ann.cancel(two.taskId);
    await ann.cancel(one.taskId);
    const next = await stream.message(({ method }) => method === "notifications/tasks");
    expect(next.params).toMatchObject({ taskId: one.taskId, status: "cancelled" });
    stream.leave();
  });

  test("another's task, and one that never was, are not granted", async () => {
    const { taskId } = await ann.start("task_hang", { tag: "another's" });
    const never = `${"0".repeat(64)}.${"0".repeat(32)}`;
    const stream = await listen(server.url, { taskIds: [taskId, never], toolsListChanged: true }, "bob");
    expect(stream.honored).toEqual({ toolsListChanged: true });
    await ann.cancel(taskId);
    stream.leave();
    expect(stream.seen.filter(({ type }) => type === "event")).toHaveLength(1);
    // With nothing granted there is nothing to wait for.
    const empty = await listen(server.url, { taskIds: [taskId] }, "bob");
    expect(empty.honored).toEqual({});
    expect(await empty.rest()).toMatchObject([{ id: "listen:1", result: { resultType: "complete" } }]);
  });

  test("is refused where the client does not know tasks, and beyond a hundred of them", async () => {
    const refused = await answerTo(server.url, { taskIds: ["x"] }, { capabilities: {} });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { code: -32021 } });
    const many = await answerTo(server.url, { taskIds: Array.from({ length: 101 }, (_, n) => String(n)) });
    expect(many.status).toBe(400);
    expect(await many.json()).toMatchObject({ error: { code: -32602 } });
  });

  test("what is said ten times in a moment is told once or twice", async () => {
    const { taskId } = await ann.start("task_steps", { count: 12, ms: 20, tag: "said" });
    const stream = await listen(server.url, { taskIds: [taskId] });
    await stream.message((message) => statusIn(message) === "completed");
    const told = stream.seen.filter(({ type }) => type === "event").length;
    // The acknowledgement, the present state, the first word, the end; and whatever one second more may bring.
    expect(told).toBeLessThanOrEqual(6);
    stream.leave();
  });
});

describe("in another isolate than the one that started it", () => {
  let server: Workerd | undefined;
  beforeAll(async () => {
    server = await startWorkerd({
      services: 2,
      vars: { TEST_AUTH: "on", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" },
    });
  });
  afterAll(() => server?.close());

  test("a task is heard, asked, answered and cancelled alike", async () => {
    const [here = "", there = ""] = server?.urls ?? [];
    const headers = { Authorization: "Bearer ann:1" };
    const [one, other] = [taskClient(() => here, headers), taskClient(() => there, headers)];
    const { taskId } = await one.start("confirm_delete", { filename: "f" });
    const stream = await listen(there, { taskIds: [taskId] });
    const asking = await stream.message((message) => statusIn(message) === "input_required");
    const [key = ""] = Object.keys(asking.params?.["inputRequests"] as object);
    await other.update(taskId, { [key]: accept({ confirm: false }) });
    const last = await stream.message((message) => statusIn(message) === "completed");
    expect(last.params?.["result"]).toMatchObject({ content: [{ text: "kept f" }] });
    expect((await one.get(taskId)).status).toBe("completed");
    stream.leave();

    const hanging = await one.start("task_hang", { tag: "elsewhere" });
    await other.cancel(hanging.taskId);
    await eventually(async () => expect((await one.get(hanging.taskId)).status).toBe("cancelled"));
  });
});
