/**
 * `holdfast/tasks`: calls of 2026-07-28 that outlive their connection, their client and their isolate: the extension
 * `io.modelcontextprotocol/tasks` (SEP-2663), and a store for the tasks that 2025-11-25 has of its own.
 * @module
 */
import type { JsonRpcRequest } from "../jsonrpc/messages.ts";
import { createLimitNotice, type TellLimit } from "../limits.ts";
import type { ModernExtension } from "../modern/extension.ts";
import { ANYTHING, checkGiven, FUNCTION, type Kind, needed } from "../setup.ts";
import { taskEdge, type TaskUse } from "./edge.ts";
import type { TaskLimits } from "./limits.ts";
import { extender } from "./serving.ts";
import { hasTask, ownerOf, TASK_SCHEMA } from "./store.ts";
import { openTask } from "./task.ts";
import type { TaskReply } from "./wire.ts";

export type { TaskContext, TaskInfo } from "../session/server/factory.ts";
export type { TaskUse } from "./edge.ts";
export {
  type InterruptedTask,
  type SessionTask,
  type SessionTasksOptions,
  type SessionTaskStatus,
  sessionTaskStore,
  type SessionTaskStore,
} from "./session-tasks.ts";

/** Numbers: `[default, least, most]`. Durations are milliseconds. */
const NUMBERS = {
  afterMs: [5000, 0, 60_000],
  ttlMs: [86_400_000, 1000, 31_536_000_000],
  pollIntervalMs: [2000, 1, 86_400_000],
  maxAttempts: [20, 1, 1_000_000],
  maxTasks: [10_000, 1, 1_000_000_000],
  maxTasksPerPrincipal: [1000, 1, 1_000_000_000],
} as const satisfies Record<keyof TaskLimits, readonly [number, number, number]>;

const KINDS: Required<Record<keyof TasksOptions, Kind>> = {
  tool: needed(FUNCTION),
  // Looked at with their bounds.
  afterMs: ANYTHING,
  ttlMs: ANYTHING,
  pollIntervalMs: ANYTHING,
  maxAttempts: ANYTHING,
  maxTasks: ANYTHING,
  maxTasksPerPrincipal: ANYTHING,
};

/** Which calls become tasks, and what bounds them. */
export interface TasksOptions extends Partial<TaskLimits> {
  /**
   * What becomes of a call, a `tools/call` whose `params` hold `name` and `arguments`: a task at once (`required`; a
   * client that does not know tasks is refused), a task where it takes longer than `afterMs` (`optional`), or none.
   * A throw is answered with an error.
   */
  tool: (request: JsonRpcRequest) => TaskUse;
  /** How long an optional call may take before it becomes a task. 0 to 60000, 5000 by default. */
  afterMs?: number;
  /** How long a task is kept from its creation, whatever has become of it. 1000 to 31536000000, 86400000 by default. */
  ttlMs?: number;
  /** How often its client should ask. 1 to 86400000, 2000 by default. */
  pollIntervalMs?: number;
  /** How often the call of a task may be begun in all, where `rerun` lets it run again. 20 by default. */
  maxAttempts?: number;
  /** Most tasks that are kept at once. 10000 by default. Not on Workers, as the one that follows. */
  maxTasks?: number;
  /** Most of them that belong to one principal. 1000 by default. */
  maxTasksPerPrincipal?: number;
}

/**
 * What `modernHandler` takes as `tasks`.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @example
 * modernHandler({ createServer, tasks: durableTasks({ tool: ({ params }) => params?.name === "crawl" ? "required" : "never" }) })
 */
export function durableTasks(options: TasksOptions): ModernExtension {
  checkGiven("durableTasks", options, KINDS);
  const { tool } = options;
  const limits = Object.fromEntries(
    Object.entries(NUMBERS).map(([name, bounds]) => [
      name,
      checked(name as keyof TaskLimits, options, bounds),
    ]),
  ) as unknown as TaskLimits;
  let tellLimit: TellLimit | undefined;
  const { answerer, listening } = taskEdge(tool);
  return {
    extend: extender(answerer),
    listening,
    guest: (serve) => ({
      schema: TASK_SCHEMA,
      absent: { kind: "unknown" } satisfies TaskReply,
      isAt: hasTask,
      principalAt: ownerOf,
      open(place) {
        tellLimit ??= createLimitNotice(place.settings.emit, place.now);
        return openTask(place, { serve, limits, tellLimit });
      },
    }),
  };
}

function checked(
  name: keyof TaskLimits,
  options: TasksOptions,
  [fallback, least, most]: readonly [number, number, number],
): number {
  const value = options[name] ?? fallback;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`tasks.${name} must be a whole number from ${least} to ${most}, not ${String(value)}`);
}
