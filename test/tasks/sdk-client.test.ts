/** The official client of tasks (`ext-tasks/client`, over SDK v2): from the call to the result, and over SIGKILL. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  createTaskSessionFromClient,
  resultFromTaskOutcome,
  type TaskEnabledSession,
} from "@modelcontextprotocol/ext-tasks/client";
import { expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { bun } from "../support/bun.ts";
import { deno } from "../support/deno.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { answerOf } from "../support/mcp.ts";
import { type Message, request } from "../support/messages.ts";
import { headersFor, MODERN, postModern } from "../support/modern.ts";
import { KNOWS_TASKS } from "../support/tasks.ts";
import { eventually } from "../support/wait.ts";

const info = { name: "tasks", version: "0" };

/** What the client's user answers. */
const ANSWERS = {
  elicitation: { action: "accept", content: { confirm: true, word: "yes", name: "n" } },
  sampling: { role: "assistant", model: "m", content: { type: "text", text: "said" } },
} as const;

async function connect(url: () => string): Promise<TaskEnabledSession & { asked: string[] }> {
  const client = new Client(info, {
    capabilities: KNOWS_TASKS,
    versionNegotiation: { mode: { pin: MODERN } },
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url()}/mcp`)));
  const asked: string[] = [];
  const session = createTaskSessionFromClient(client, {
    endpointId: "holdfast",
    v2RequestFraming: { protocolVersion: MODERN, clientInfo: info, clientCapabilities: KNOWS_TASKS },
    // The SDK's client passes no task through: the host sends what concerns them itself.
    async rawDispatch(value) {
      const { method = "", params = {} } = value as Message;
      const message = request(method, params);
      const named = method.startsWith("tasks/") ? { "Mcp-Name": String(params["taskId"]) } : {};
      const answer = await answerOf(
        await postModern(url(), message, { ...headersFor(message), ...named }),
        message.id,
      );
      return answer.error === undefined
        ? { kind: "result", result: answer.result as never }
        : { kind: "error", error: answer.error as never };
    },
    async onInputRequest({ kind }) {
      asked.push(kind);
      return ANSWERS[kind as keyof typeof ANSWERS] as never;
    },
  });
  return Object.assign(session, { asked });
}

const textOf = (result: unknown): unknown => (result as { content: { text: string }[] }).content[0]?.text;

describeBeside([...hosts, deno, bun], "on $name", (host) => {
  const server = mortal(host, {
    TEST_RERUN: "task_steps",
    REQUEST_STATE_KEY: "the same in each process that serves this file",
  });
  const url = (): string => server.url;
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<[unknown, string[]]> => {
    const session = await connect(url);
    const execution = await session.callTool(name, args as never);
    const { outcome } = await execution.settle();
    await session.close();
    return [textOf(resultFromTaskOutcome(outcome)), session.asked];
  };

  test("a plain call, and a task that works, asks a user and a model, more than once", async () => {
    expect(await call("echo", { text: "plain" })).toEqual(["plain", []]);
    expect(await call("task_wait", { ms: 300 })).toEqual(["waited 300", []]);
    expect(await call("confirm_delete", { filename: "f" })).toEqual(["deleted f", ["elicitation"]]);
    expect(await call("multi_input")).toEqual(["n and n", ["elicitation", "elicitation"]]);
    expect(await call("task_words")).toEqual(["yes yes", ["elicitation", "elicitation"]]);
    expect(await call("task_model")).toEqual(["said", ["sampling"]]);
  });

  test("cancelled", async () => {
    const session = await connect(url);
    const execution = await session.callTool("task_hang", { tag: "sdk" });
    await execution.cancel();
    expect((await execution.settle()).outcome.status).toBe("cancelled");
    await session.close();
  });

  test("resumed by id after a kill, by a client that knows nothing else", { timeout: 30_000 }, async () => {
    const session = await connect(url);
    const execution = await session.callTool("task_steps", { count: 10, ms: 80, tag: "sdk" });
    if (execution.kind !== "task") throw new Error("no task");
    const reference = execution.serializeReference();
    await execution.detach();
    await eventually(() =>
      expect(server.events().filter(({ type }) => type === "test.done").length).toBeGreaterThan(2),
    );
    await server.kill();
    await server.restart();

    const other = await connect(url);
    const resumed = await other.resumeTask(reference);
    const result = resultFromTaskOutcome((await resumed.settle()).outcome);
    expect(JSON.parse(String(textOf(result)))).toEqual({ done: 10, attempt: 2 });
    await other.close();
    await session.close().catch(() => {});
  });

  test(
    "interrupted, where its tool may not run again: one failure, which says so",
    { timeout: 30_000 },
    async () => {
      const session = await connect(url);
      const execution = await session.callTool("task_hang", { tag: "unsafe" });
      const settled = execution.settle();
      await eventually(() => expect(server.events().some(({ tag }) => tag === "unsafe")).toBe(true));
      if (execution.kind !== "task") throw new Error("no task");
      const reference = execution.serializeReference();
      await execution.detach();
      await settled.catch(() => {});
      await server.kill();
      await server.restart();
      const other = await connect(url);
      const { outcome } = await (await other.resumeTask(reference)).settle();
      expect(outcome).toMatchObject({
        status: "failed",
        error: { code: -32603, data: { reason: "interrupted" } },
      });
      await other.close();
      await session.close().catch(() => {});
    },
  );
});
