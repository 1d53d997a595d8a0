/**
 * Tasks of 2025-11-25, by the store that SDK v1 takes (`taskStore`): each task is in its session's state, so it is
 * found after an eviction, a deploy, a SIGKILL, and it ends with its session at the latest.
 *
 * The tasks of 2026-07-28 have rows and an alarm of their own (`store.ts`), because nothing else lives where they do.
 * Here the session is what lasts: it has an alarm that ends it, a bound on what it keeps (`maxStateBytes`) and an owner,
 * and a factory is given no more of it than its state. A second set of rows within it would need all of that again.
 * @module
 */
import { isObject, type JsonObject } from "../jsonrpc/messages.ts";
import type { SessionInfo } from "../session/server/factory.ts";
import { ANYTHING, checkGiven, FUNCTION, type Kind } from "../setup.ts";
import { isOver } from "./record.ts";

/** How a task stands (2025-11-25, tasks). */
export type SessionTaskStatus = "working" | "input_required" | "completed" | "failed" | "cancelled";

/** A task as its client sees it. Times are ISO 8601, durations milliseconds. */
export interface SessionTask {
  taskId: string;
  status: SessionTaskStatus;
  ttl: number | null;
  createdAt: string;
  lastUpdatedAt: string;
  pollInterval?: number;
  statusMessage?: string;
}

/** The task and the request that it was made for, as `resume` sees it. */
export interface InterruptedTask {
  readonly task: SessionTask;
  /** `method` and `params`. */
  readonly request: JsonObject;
}

/** What bounds the tasks of a session. */
export interface SessionTasksOptions {
  /** Longest time that a task is kept, from its creation, in milliseconds; a client may ask for less. 1000 to 31536000000, 86400000 by default. */
  ttlMs?: number;
  /** How often its client should ask, in milliseconds, where the tool does not say. 1 to 86400000, 1000 by default. */
  pollIntervalMs?: number;
  /** Most tasks that are kept at once in a session. 1 to 100000, 100 by default. */
  maxTasks?: number;
  /**
   * Asked of each task that was under way when its isolate or process died, as the next server is built. True where the
   * work goes on: somebody else does it, or the server begins it again. The rest have failed, and say so.
   */
  resume?: (interrupted: InterruptedTask) => boolean;
}

/** What SDK v1 (1.24 and later) takes as `taskStore`. What it rejects with is told to the client by the SDK. */
export interface SessionTaskStore {
  /** A new task, `working`. Rejects where the session keeps as many as it may. */
  createTask(
    params: { ttl?: number | null; pollInterval?: number; context?: Record<string, unknown> },
    requestId: string | number,
    request: object,
    sessionId?: string,
  ): Promise<SessionTask>;
  /** As it stands; null where there is none of this id, or its time is up. */
  getTask(taskId: string, sessionId?: string): Promise<SessionTask | null>;
  /** Ends the task with its result. Rejects where there is none, or where it has ended. */
  storeTaskResult(
    taskId: string,
    status: "completed" | "failed",
    result: { [key: string]: unknown },
    sessionId?: string,
  ): Promise<void>;
  /** The result of a task that has ended; rejects where there is none. */
  getTaskResult(taskId: string, sessionId?: string): Promise<{ [key: string]: unknown }>;
  /** Moves the task on. Rejects where there is none, or where it has ended. */
  updateTaskStatus(
    taskId: string,
    status: SessionTaskStatus,
    statusMessage?: string,
    sessionId?: string,
  ): Promise<void>;
  /** A page of the session's tasks, oldest first. Rejects for a cursor that no page gave. */
  listTasks(cursor?: string, sessionId?: string): Promise<{ tasks: SessionTask[]; nextCursor?: string }>;
}

/** Names in the session's state. A task and its result are apart: a list reads no results. */
const TASK = "holdfast.task.";
const RESULT = "holdfast.task-result.";
/** Tasks in one page of a list. */
const PAGE = 50;

const NUMBERS = {
  ttlMs: [86_400_000, 1000, 31_536_000_000],
  pollIntervalMs: [1000, 1, 86_400_000],
  maxTasks: [100, 1, 100_000],
} as const;

const KINDS: Required<Record<keyof SessionTasksOptions, Kind>> = {
  // Looked at with their bounds.
  ttlMs: ANYTHING,
  pollIntervalMs: ANYTHING,
  maxTasks: ANYTHING,
  resume: FUNCTION,
};

interface Stored extends InterruptedTask {
  /** Of one more than the task created before it: the order of a list. */
  readonly n: number;
}

/** The outcome of a task whose isolate died under it. */
const INTERRUPTED = "The server was restarted while this task was under way";

/**
 * The store of a session's tasks. Make it in your factory, for each server anew: what an earlier isolate left
 * unfinished is settled then.
 * @throws {RangeError} naming an option that is out of bounds
 * @example
 * const taskStore = sessionTaskStore(context.session);
 * const server = new McpServer(info, { capabilities: { tasks: { requests: { tools: { call: {} } } } }, taskStore });
 */
export function sessionTaskStore(session: SessionInfo, options: SessionTasksOptions = {}): SessionTaskStore {
  checkGiven("sessionTaskStore", options, KINDS);
  const { state } = session;
  const [ttlMs, pollIntervalMs, maxTasks] = (["ttlMs", "pollIntervalMs", "maxTasks"] as const).map((name) => {
    const [fallback, least, most] = NUMBERS[name];
    const value = options[name] ?? fallback;
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${String(value)}`);
  }) as [number, number, number];

  const names = (): string[] => state.keys().filter((name) => name.startsWith(TASK));

  const remove = (taskId: string): void => {
    state.delete(TASK + taskId);
    state.delete(RESULT + taskId);
  };

  /** The task, unless its time is up: then it is gone, and nothing of it is left. */
  const load = (taskId: string): Stored | undefined => {
    const stored = state.get<Stored>(TASK + taskId);
    if (stored === undefined) return undefined;
    const { createdAt, ttl } = stored.task;
    if (Date.parse(createdAt) + (ttl ?? ttlMs) > Date.now()) return stored;
    remove(taskId);
    return undefined;
  };

  /** All that are there, oldest first; those whose time is up go. */
  const all = (): Stored[] =>
    names()
      .map((name) => load(name.slice(TASK.length)))
      .filter((stored) => stored !== undefined)
      .toSorted((one, other) => one.n - other.n);

  /** @throws {Error} where it is unknown, or is over */
  const open = (taskId: string): Stored => {
    const stored = load(taskId);
    if (stored === undefined) throw new Error(`Task not found: ${taskId}`);
    if (isOver(stored.task)) throw new Error(`Task ${taskId} is ${stored.task.status} already`);
    return stored;
  };

  const change = (stored: Stored, status: SessionTaskStatus, statusMessage?: string): void => {
    const task: SessionTask = {
      ...stored.task,
      status,
      lastUpdatedAt: new Date().toISOString(),
      ...(statusMessage !== undefined && { statusMessage }),
    };
    state.set(TASK + task.taskId, { ...stored, task } satisfies Stored);
  };

  /** Never throws: where the session's state is full, its server is to start all the same. */
  const fail = (stored: Stored, message: string): void => {
    const { taskId } = stored.task;
    try {
      // What it was asked serves nobody any more, and leaves room for this.
      change({ ...stored, request: {} }, "failed", message);
    } catch {
      return remove(taskId);
    }
    try {
      state.set(RESULT + taskId, { content: [{ type: "text", text: message }], isError: true });
    } catch {
      // Its status says it.
    }
  };

  if (session.rehydrated) {
    for (const stored of all()) {
      if (!isOver(stored.task) && options.resume?.(stored) !== true) fail(stored, INTERRUPTED);
    }
  }

  // Whatever is thrown within rejects.
  return {
    async createTask({ ttl, pollInterval = pollIntervalMs }, _requestId, request) {
      const before = all();
      if (before.length >= maxTasks) throw new Error(`This session has ${maxTasks} tasks already (maxTasks)`);
      const createdAt = new Date().toISOString();
      const task: SessionTask = {
        taskId: crypto.randomUUID(),
        status: "working",
        ttl: typeof ttl === "number" && ttl >= 0 ? Math.min(ttl, ttlMs) : ttlMs,
        createdAt,
        lastUpdatedAt: createdAt,
        pollInterval,
      };
      const n = (before.at(-1)?.n ?? 0) + 1;
      const { method, params } = request as { method?: string; params?: unknown };
      const kept = { ...(method !== undefined && { method }), ...(isObject(params) && { params }) };
      state.set(TASK + task.taskId, { n, task, request: kept } satisfies Stored);
      return task;
    },
    async getTask(taskId) {
      return load(taskId)?.task ?? null;
    },
    async storeTaskResult(taskId, status, result) {
      const stored = open(taskId);
      try {
        state.set(RESULT + taskId, result);
      } catch (error) {
        // One honest failure, where the session has no room for the result (`maxStateBytes`).
        fail(stored, `The result cannot be kept: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      change(stored, status);
    },
    async getTaskResult(taskId) {
      const result = load(taskId) && state.get<JsonObject>(RESULT + taskId);
      if (result === undefined) throw new Error(`Task ${taskId} has no result`);
      return result;
    },
    async updateTaskStatus(taskId, status, statusMessage) {
      change(open(taskId), status, statusMessage);
    },
    async listTasks(cursor) {
      const after = cursor === undefined ? 0 : Number(cursor);
      if (!Number.isInteger(after) || after < 0) throw new Error(`Invalid cursor: ${cursor}`);
      const left = all().filter(({ n }) => n > after);
      const page = left.slice(0, PAGE);
      const last = page.at(-1);
      return {
        tasks: page.map(({ task }) => task),
        ...(left.length > PAGE && last && { nextCursor: String(last.n) }),
      };
    },
  };
}
