/**
 * Tools for tests of tasks. Those named `task_…` are tasks at once, those named `maybe_…` where they take long.
 * @module
 */
import { acceptedContent, inputRequired, inputResponse, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { JsonRpcRequest } from "../../src/jsonrpc/messages.ts";
import type { ServerContext } from "../../src/session/server/factory.ts";
import type { TaskUse } from "../../src/tasks/index.ts";
import { pause, text, wordsOf } from "../../worker/example/reply.ts";
import { createRoundStates, type RoundState } from "../../worker/example/request-state.ts";
import { taskUseOf } from "../../worker/example/task-fixtures.ts";

export function testTaskUseOf(request: JsonRpcRequest): TaskUse {
  const name = String(request.params?.["name"]);
  if (name === "task_broken") throw new Error("no idea");
  if (name === "task_odd") return "sometimes" as TaskUse;
  if (name.startsWith("task_")) return "required";
  return name.startsWith("maybe_") ? "optional" : taskUseOf(request);
}

const Steps = z.object({ count: z.int(), ms: z.int(), tag: z.string() });
const Word = z.object({ word: z.string() });

/** Of whoever shows nothing it asks too, as `requireScopes` does not. */
function needsToWrite({ authInfo }: { authInfo?: { scopes: string[] } }) {
  return authInfo?.scopes.includes("notes:write") ? undefined : { scopes: ["notes:write"] as [string] };
}

export function registerTaskTools(server: McpServer, context: ServerContext): void {
  const task = context.era === "task" ? context.task : undefined;
  const log = (event: Record<string, unknown>): void => console.log(JSON.stringify(event));

  server.registerTool(
    "task_steps",
    { description: "Does steps, and keeps its place", inputSchema: Steps },
    async ({ count, ms, tag }, ctx) => {
      for (let n = (task?.state.get<number>("done") ?? 0) + 1; n <= count; n++) {
        log({ type: "test.step", tag, n, attempt: task?.attempt });
        await pause(ms, ctx.mcpReq.signal);
        if (ctx.mcpReq.signal.aborted) return text("cancelled");
        task?.state.set("done", n);
        task?.progress(`${n} of ${count}`);
        log({ type: "test.done", tag, n, attempt: task?.attempt });
      }
      return text(JSON.stringify({ done: task?.state.get("done"), attempt: task?.attempt }));
    },
  );

  for (const name of ["task_hang", "maybe_hang"]) {
    server.registerTool(
      name,
      { description: "Hangs until it is cancelled", inputSchema: z.object({ tag: z.string() }) },
      async ({ tag }, ctx) => {
        log({ type: "test.hanging", tag });
        await pause(600_000, ctx.mcpReq.signal);
        log({ type: "test.cancelled", tag });
        return text("cancelled");
      },
    );
  }

  for (const name of ["task_wait", "maybe_wait"]) {
    server.registerTool(
      name,
      { description: "Waits", inputSchema: z.object({ ms: z.int() }) },
      async ({ ms }, ctx) => {
        await pause(ms, ctx.mcpReq.signal);
        return text(`waited ${ms}`);
      },
    );
  }

  server.registerTool("task_who", { description: "Who runs it" }, async (ctx) => {
    const { principal } = context as { principal?: string };
    const request = ctx.http?.req;
    return text(
      JSON.stringify({
        era: context.era,
        principal,
        attempt: task?.attempt,
        isId: typeof task?.id === "string" && task.id.includes("."),
        token: (ctx.http?.authInfo as { token?: string } | undefined)?.token,
        authorization: request?.headers.get("authorization") ?? null,
      }),
    );
  });

  server.registerTool(
    "task_bulk",
    { description: "Answers much", inputSchema: z.object({ size: z.int() }) },
    ({ size }) => text("é😀b".repeat(size / 4)),
  );

  const states = createRoundStates(context);

  server.registerTool(
    "task_again",
    { description: "Wants to be called again, and asks nothing" },
    async (ctx) => {
      const given = ctx.mcpReq.requestState<RoundState>();
      if (given !== undefined) return text(`again: ${given.round}`);
      return inputRequired({ requestState: await states.mint({ tool: "task_again", round: 7 }, ctx) });
    },
  );

  server.registerTool("task_words", { description: "Needs two words, one after the other" }, async (ctx) => {
    const first = ctx.mcpReq.requestState<RoundState>()?.name;
    const given = acceptedContent(ctx.mcpReq.inputResponses, "word", Word)?.word;
    if (first !== undefined && given !== undefined) return text(`${first} ${given}`);
    const round = given === undefined ? 1 : 2;
    const state = { tool: "task_words", round, ...(given !== undefined && { name: given }) };
    const message = `Word ${round}?`;
    return inputRequired({
      inputRequests: { word: inputRequired.elicit({ message, requestedSchema: Word }) },
      requestState: await states.mint(state, ctx),
    });
  });

  server.registerTool("task_model", { description: "Needs a word of the client's LLM" }, (ctx) => {
    const response = inputResponse(ctx.mcpReq.inputResponses, "reply");
    if (response.kind === "sampling") return text(wordsOf(response.result));
    return inputRequired({
      inputRequests: {
        reply: inputRequired.createMessage({
          messages: [{ role: "user", content: { type: "text", text: "say it" } }],
          maxTokens: 10,
        }),
      },
    });
  });

  server.registerTool(
    "task_report",
    { description: "Reports progress to whoever asks for it" },
    async (ctx) => {
      const { progressToken } = ctx.mcpReq._meta ?? {};
      if (progressToken === undefined) return text("nobody asked");
      for (const [progress, message] of ["begun", "half"].entries()) {
        const params = { progressToken, progress, total: 2, message };
        await ctx.mcpReq.notify({ method: "notifications/progress", params });
      }
      await pause(600_000, ctx.mcpReq.signal);
      return text("over");
    },
  );

  server.registerTool(
    "task_guarded",
    { description: "Needs a scope", scopeChallenge: needsToWrite },
    async () => {
      log({ type: "test.guarded", attempt: task?.attempt });
      await pause(3000);
      return text("done");
    },
  );

  server.registerTool(
    "task_stray",
    { description: "Writes to its state when it is over", inputSchema: z.object({ tag: z.string() }) },
    async ({ tag }, ctx) => {
      log({ type: "test.hanging", tag });
      await pause(600_000, ctx.mcpReq.signal);
      try {
        task?.state.set("late", 1);
        log({ type: "test.stray", tag, said: "stored" });
      } catch (error) {
        log({ type: "test.stray", tag, said: String(error) });
      }
      return text("over");
    },
  );
}
