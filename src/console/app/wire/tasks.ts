/** A call that its server turned into a task: asked after until it is done. @module */
import type { Client } from "./client.ts";
import { pause } from "./follow.ts";
import { answersTo } from "./questions.ts";
import { errorIn, isObject, type Json, type Outcome, textIn } from "./types.ts";

/** A task, as its server tells of it. */
export interface Task {
  readonly id: string;
  readonly status: string;
  readonly message: string | undefined;
  readonly pollMs: number;
  /** All that the server said of it. */
  readonly said: Json;
}

const POLL_MS = { usual: 1000, least: 250, most: 30_000 };

/** The task that a result announces, or that an answer of `tasks/get` is about. */
export function taskIn(result: Json): Task | undefined {
  const said = isObject(result["task"]) ? result["task"] : result;
  const id = textIn(said["taskId"]);
  if (id === undefined) return undefined;
  const asked = said["pollIntervalMs"] ?? said["pollInterval"];
  const pollMs = typeof asked === "number" ? asked : POLL_MS.usual;
  return {
    id,
    status: textIn(said["status"]) ?? "working",
    message: textIn(said["statusMessage"]),
    pollMs: Math.min(Math.max(pollMs, POLL_MS.least), POLL_MS.most),
    said,
  };
}

/** Whether this result stands for one that comes later. */
export function announcesTask(result: Json): boolean {
  return result["resultType"] === "task" || isObject(result["task"]);
}

/**
 * Asks after a task until it is over; what it needs of the user is asked, too.
 * @param cancelled cancels the task itself
 */
export async function followTask(
  client: Client,
  first: Task,
  { onTask, cancelled }: { onTask: (task: Task) => void; cancelled: AbortSignal },
): Promise<Outcome> {
  let task = first;
  for (;;) {
    onTask(task);
    const { said } = task;
    if (task.status === "completed") {
      if (isObject(said["result"])) return { type: "result", result: said["result"] };
      return client.request("tasks/result", { taskId: task.id });
    }
    if (task.status === "failed") {
      const error = said["error"] ?? { message: task.message ?? "the task failed" };
      return { type: "error", error: errorIn(error) };
    }
    if (task.status === "cancelled") return { type: "cancelled" };
    try {
      if (task.status === "input_required") {
        const inputResponses = await answersTo(said["inputRequests"], cancelled);
        if (Object.keys(inputResponses).length > 0) {
          await client.request("tasks/update", { taskId: task.id, inputResponses });
        }
      }
      await pause(task.pollMs, cancelled);
    } catch {
      await client.request("tasks/cancel", { taskId: task.id });
      return { type: "cancelled" };
    }
    const asked = await client.request("tasks/get", { taskId: task.id });
    if (asked.type !== "result") return asked;
    task = taskIn(asked.result) ?? task;
  }
}
