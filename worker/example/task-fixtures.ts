/** Tools that run as tasks (2026-07-28): the conformance suite's fixtures, and which of them are tasks. @module */
import {
  acceptedContent,
  type CallToolResult,
  inputRequired,
  type McpServer,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { JsonRpcRequest } from "../../src/jsonrpc/messages.ts";
import { type TaskUse, durableTasks } from "../../src/tasks/index.ts";
import { failure, pause, text } from "./reply.ts";

const Compute = z.object({ seconds: z.number().min(0), label: z.string().default("") });
const Delete = z.object({ filename: z.string() });
const Confirmation = z.object({ confirm: z.boolean() });
const Name = z.object({ name: z.string() });

const USES: Readonly<Record<string, TaskUse>> = {
  slow_compute: "optional",
  failing_job: "required",
  protocol_error_job: "required",
  confirm_delete: "required",
  multi_input: "required",
};

/** Which of the example's calls become tasks. */
export function taskUseOf({ params }: JsonRpcRequest): TaskUse {
  const name = String(params?.["name"]);
  // It asks before it begins: what it does with the answer takes long.
  if (name === "test_tool_with_task") return params?.["inputResponses"] === undefined ? "never" : "required";
  return Object.hasOwn(USES, name) ? (USES[name] ?? "never") : "never";
}

/** The example's tasks. */
export const exampleTasks = () => durableTasks({ tool: taskUseOf, afterMs: 500, pollIntervalMs: 200 });

const ask = (message: string, requestedSchema: z.ZodObject) =>
  inputRequired.elicit({ message, requestedSchema });

/** Registers the fixtures. */
export function registerTaskFixtures(server: McpServer): void {
  server.registerTool("greet", { description: "Greets, at once", inputSchema: Name }, ({ name }) =>
    text(`Hello, ${name}!`),
  );

  server.registerTool(
    "slow_compute",
    { description: "Computes for some seconds", inputSchema: Compute },
    async ({ seconds, label }, ctx) => {
      await pause(seconds * 1000, ctx.mcpReq.signal);
      return text(`computed ${label} in ${seconds} s`);
    },
  );

  server.registerTool("failing_job", { description: "Fails as a tool does" }, async () => {
    await pause(1000);
    return failure("the job has failed");
  });

  server.registerTool("protocol_error_job", { description: "Fails as a server does" }, async () => {
    await pause(100);
    // What is no result becomes an error of the protocol; what a tool throws is a result that says so.
    return { content: "nothing that a tool may answer" } as unknown as CallToolResult;
  });

  server.registerTool(
    "confirm_delete",
    { description: "Deletes once it is confirmed", inputSchema: Delete },
    ({ filename }, ctx) => {
      const given = acceptedContent(ctx.mcpReq.inputResponses, "confirm", Confirmation);
      if (given !== undefined) return text(given.confirm ? `deleted ${filename}` : `kept ${filename}`);
      return inputRequired({ inputRequests: { confirm: ask(`Delete ${filename}?`, Confirmation) } });
    },
  );

  server.registerTool("multi_input", { description: "Needs two inputs at once" }, (ctx) => {
    const first = acceptedContent(ctx.mcpReq.inputResponses, "first", Name);
    const second = acceptedContent(ctx.mcpReq.inputResponses, "second", Name);
    if (first && second) return text(`${first.name} and ${second.name}`);
    return inputRequired({
      inputRequests: { first: ask("The first name?", Name), second: ask("The second name?", Name) },
    });
  });

  server.registerTool("test_tool_with_task", { description: "Asks, then takes its time" }, async (ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "user_name", Name);
    if (given === undefined)
      return inputRequired({ inputRequests: { user_name: ask("What is your name?", Name) } });
    await pause(300);
    return text(`Done for ${given.name}`);
  });
}
