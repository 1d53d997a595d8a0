/**
 * Tasks as the edge has them: which calls become one, and what their clients ask of them. No state is kept here: any
 * isolate answers for any task.
 *
 * A task's id is its object's own id, and a mark of whom it belongs to: who comes with another's, or with one that was
 * never issued, is told so without waking anything.
 * @module
 */
import type { Caller } from "../caller.ts";
import { DEFAULT_TOPIC, type Change } from "../changes.ts";
import type { GuestRef } from "../guest.ts";
import { runHook } from "../hooks.ts";
import type { StatelessCall } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
} from "../jsonrpc/messages.ts";
import type { ListeningFor, ModernExtension } from "../modern/extension.ts";
import { nameOfParts } from "../names.ts";
import { TASKS } from "./record.ts";
import { type AnswererOf, Refused } from "./serving.ts";
import { signalOf } from "./kept.ts";
import type { TaskReply, TaskRequest } from "./wire.ts";

/** What becomes of a tool's call whose client knows tasks: a task at once, a task where it takes long, a plain call. */
export type TaskUse = "required" | "optional" | "never";

/** The edge's part of the extension. */
export interface TaskEdge {
  readonly answerer: AnswererOf;
  readonly listening: ModernExtension["listening"];
}

/** Most tasks that one listener may ask for: each is asked once as it begins. */
const MOST_LISTENED = 100;
/** Characters of the mark in a task's id. */
const MARK = 32;
/** Pauses before a task that could not be reached is asked once more. */
const AGAIN_AFTER_MS = [50, 500];

/**
 * The edge of a deployment whose calls become tasks as `tool` says.
 * @throws {Refused} from `answerer`, where `tool` does not say it
 */
export function taskEdge(tool: (request: JsonRpcRequest) => TaskUse): TaskEdge {
  const useOf = (call: StatelessCall, request: JsonRpcRequest): TaskUse => {
    const use = runHook(call.settings.emit, "tasks.tool", () => checkedUse(tool(request)));
    // Whoever cannot say what is to be done gets nothing done.
    if (use === undefined) throw new Refused(failures.internalError);
    return use;
  };

  return {
    answerer(call, request) {
      const { method } = request;
      const isDeclared = declaresTasks(request);
      if (method === "tools/call") {
        const use = useOf(call, request);
        if (use === "never" || (!isDeclared && use === "optional")) return undefined;
        return isDeclared ? () => start(call, request, use === "required") : refuse;
      }
      if (method !== "tasks/get" && method !== "tasks/update" && method !== "tasks/cancel") return undefined;
      return isDeclared ? () => about(call, request) : refuse;
    },

    listening(call, request) {
      const { notifications } = request.params ?? {};
      const asked: unknown = isObject(notifications) ? notifications["taskIds"] : undefined;
      if (!Array.isArray(asked) || asked.length === 0) return undefined;
      if (!declaresTasks(request)) return failures.missingExtension(TASKS);
      if (asked.length > MOST_LISTENED) return failures.listensToTooManyTasks(MOST_LISTENED);
      // What is no text names no task, and not every value of JSON can be made one.
      return listenTo(call, new Set(asked.filter((taskId) => typeof taskId === "string")));
    },
  };
}

async function refuse(): Promise<never> {
  throw new Refused(failures.missingExtension(TASKS));
}

/** True where the request says that its client knows tasks: each says so for itself (SEP-2663, "Capability Negotiation"). */
function declaresTasks({ params }: JsonRpcRequest): boolean {
  const meta = params?.["_meta"];
  const capabilities = isObject(meta) ? meta["io.modelcontextprotocol/clientCapabilities"] : undefined;
  const extensions = isObject(capabilities) ? capabilities["extensions"] : undefined;
  return isObject(extensions) && isObject(extensions[TASKS]);
}

function checkedUse(use: unknown): TaskUse {
  if (use === "required" || use === "optional" || use === "never") return use;
  throw new TypeError(`tasks.tool must return "required", "optional" or "never", not ${typeof use}`);
}

async function markOf(id: string, { principal, topic = DEFAULT_TOPIC }: Caller): Promise<string> {
  const owner = principal === undefined ? [] : [principal];
  return (await nameOfParts("task", id, topic, ...owner)).slice(0, MARK);
}

/** The task, where this caller may know of it. Wakes nothing. */
async function refOf(
  { guests, caller }: StatelessCall,
  taskId: unknown,
): Promise<(GuestRef & { readonly taskId: string }) | undefined> {
  const [id, mark, ...rest] = typeof taskId === "string" ? taskId.split(".") : [];
  if (id === undefined || mark === undefined || rest.length > 0) return undefined;
  const ref = guests().find(id);
  return ref !== undefined && (await markOf(ref.id, caller)) === mark
    ? { ...ref, taskId: `${ref.id}.${mark}` }
    : undefined;
}

/** Asks, and asks again where the object died with the question: all that is asked this way may be asked twice. */
async function ask(ref: GuestRef, request: TaskRequest, caller: Caller): Promise<TaskReply> {
  for (let attempt = 0; ; attempt++) {
    try {
      return (await ref.ask(request as unknown as JsonObject, caller)) as unknown as TaskReply;
    } catch (error) {
      const ms = AGAIN_AFTER_MS[attempt];
      if (ms === undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }
}

/** Runs the call where it can outlive its client, and answers with its result, or with the task that it has become. */
async function start(call: StatelessCall, request: JsonRpcRequest, atOnce: boolean): Promise<JsonObject> {
  const { caller, settings, onError } = call;
  const ref = call.guests().mint();
  const taskId = `${ref.id}.${await markOf(ref.id, caller)}`;
  const starting: TaskRequest = { op: "start", taskId, call: request, atOnce };
  const leave = (): void =>
    void ref.ask({ op: "leave", taskId } satisfies TaskRequest as unknown as JsonObject).catch(() => {});
  const { signal } = call.request;
  signal.addEventListener("abort", leave, { once: true });
  let reply: TaskReply;
  try {
    reply = atOnce
      ? await ask(ref, starting, caller)
      : ((await ref.ask(starting as unknown as JsonObject, caller)) as unknown as TaskReply);
  } catch (error) {
    onError(error);
    if (atOnce) throw new Refused(failures.taskUnreachable);
    // It may have become one before it could say so; else the call is gone with its object, and runs no second time.
    const found = await ask(ref, { op: "get", taskId }, caller).catch(() => undefined);
    if (found?.kind === "detailed") return { ...stripped(found.task), resultType: "task" };
    const { error: interrupted = failures.internalError.error } = failures.interrupted(
      request.id,
      settings.rerun(request),
    );
    throw new Refused({ error: interrupted });
  } finally {
    signal.removeEventListener("abort", leave);
  }
  if (reply.kind === "task") return { ...reply.task, resultType: "task" };
  if (reply.kind === "answered") {
    const { result, error } = reply.response;
    if (result === undefined) throw new Refused({ error: error ?? failures.internalError.error });
    return result;
  }
  throw new Refused(reply.kind === "refused" ? reply.failure : failures.taskUnreachable);
}

/** The task alone, as `tools/call` is answered with it. */
function stripped({
  result: _result,
  error: _error,
  inputRequests: _asked,
  ...task
}: JsonObject): JsonObject {
  return task;
}

/** Answers `tasks/get`, `tasks/update` and `tasks/cancel`. */
async function about(call: StatelessCall, { method, params }: JsonRpcRequest): Promise<JsonObject> {
  const inputResponses = params?.["inputResponses"];
  if (method === "tasks/update" && !isObject(inputResponses))
    throw new Refused(failures.invalidParams("inputResponses must be an object"));
  const ref = await refOf(call, params?.["taskId"]);
  if (ref === undefined) throw new Refused(failures.taskNotFound);
  const { taskId } = ref;
  const request: TaskRequest =
    method === "tasks/update" && isObject(inputResponses)
      ? { op: "update", taskId, inputResponses }
      : { op: method === "tasks/get" ? "get" : "cancel", taskId };
  const reply = await ask(ref, request, call.caller).catch((error: unknown) => {
    call.onError(error);
    throw new Refused(failures.taskUnreachable);
  });
  switch (reply.kind) {
    case "detailed":
      return reply.task;
    case "done":
      return {};
    case "unknown":
      throw new Refused(failures.taskNotFound);
    case "refused":
      throw new Refused(reply.failure);
    default:
      throw new Refused(failures.taskUnreachable);
  }
}

function listenTo(call: StatelessCall, taskIds: ReadonlySet<string>): ListeningFor {
  /** By the name of its signal: what was last told of a task that its listener may hear of. */
  const heard = new Map<string, { readonly ref: GuestRef & { readonly taskId: string }; version: number }>();
  const candidates = new Set([...taskIds].map((taskId) => signalOf(taskId.split(".", 1)[0] ?? "")));

  const look = async (name: string): Promise<readonly JsonRpcNotification[]> => {
    const one = heard.get(name);
    if (one === undefined) return [];
    const reply = await ask(one.ref, { op: "get", taskId: one.ref.taskId }, call.caller);
    if (reply.kind !== "detailed" || reply.version <= one.version) return [];
    one.version = reply.version;
    return [{ jsonrpc: "2.0", method: "notifications/tasks", params: reply.task }];
  };

  return {
    async grant() {
      const granted = await Promise.all(
        [...taskIds].map(async (taskId) => {
          const ref = await refOf(call, taskId);
          if (ref === undefined) return [];
          const name = signalOf(ref.id);
          heard.set(name, { ref, version: 0 });
          const told = await look(name);
          if (told.length === 0) heard.delete(name);
          return told.map((notification) => ({ taskId: ref.taskId, notification }));
        }),
      );
      const found = granted.flat();
      return {
        filter: found.length > 0 ? { taskIds: found.map(({ taskId }) => taskId) } : {},
        told: found.map(({ notification }) => notification),
      };
    },
    hear: (change: Change) =>
      change.kind === "signal" && candidates.has(change.name) ? () => look(change.name) : undefined,
  };
}
