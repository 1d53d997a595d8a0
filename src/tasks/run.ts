/** One call of a task with a server, from its start to its answer. @module */
import type { Caller } from "../caller.ts";
import type { GuestPlace } from "../guest.ts";
import * as failures from "../jsonrpc/failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from "../jsonrpc/messages.ts";
import type { Serve } from "../modern/extension.ts";
import { contextOf } from "../request/context.ts";
import type { SessionState, TaskContext } from "../session/server/factory.ts";
import { responseIn } from "./replies.ts";
import { admit } from "./serving.ts";
import type { TaskTexts } from "./store.ts";

/** A call that is with a server. */
export interface Run {
  /** Cancels the call, whose answer comes no more. */
  abort(): void;
  /** The answer; an error in its place where the call was cut off. Never rejects. */
  readonly answered: Promise<JsonRpcResponse>;
}

/** What a call needs to run, once more or for the first time. */
export interface Begun {
  readonly taskId: string;
  readonly principal: string | null;
  readonly topic: string;
  readonly call: JsonRpcRequest;
  readonly origin: TaskTexts["origin"];
  readonly attempt: number;
  /** Answers to what it asked, with what it wanted back. */
  readonly given: JsonObject | undefined;
  /** Who is there now: undefined where nobody is, as after a restart. */
  readonly authInfo: unknown;
}

/** What the call is run by and in. */
export interface RunOptions {
  readonly place: GuestPlace;
  readonly serve: Serve;
  readonly ttlMs: number;
  readonly state: SessionState;
  /** The tool says how far it is. */
  readonly onProgress: (message: string) => void;
}

/** Headers that the era's rules are about: the only ones that are kept, and none of them is a secret. */
const KEPT_HEADER = /^(mcp-(?!session-id$)|content-type$|accept$)/;

/** What is kept of where a call came in. */
export function originOf({ url, headers }: Caller): TaskTexts["origin"] {
  return {
    url,
    headers: Object.fromEntries(Object.entries(headers()).filter(([name]) => KEPT_HEADER.test(name))),
  };
}

/** Begins the call, and returns at once. */
export function startRun(begun: Begun, options: RunOptions): Run {
  const { place, serve, ttlMs, state, onProgress } = options;
  const { env, settings, userChannel, waitUntil } = place;
  const { taskId, call, origin, topic, attempt, given, authInfo } = begun;
  const controller = new AbortController();
  const request = new Request(origin.url, {
    method: "POST",
    headers: origin.headers,
    signal: controller.signal,
  });
  const message = { ...call, params: { ...withToken(call.params ?? {}, taskId), ...given } };
  const caller: Caller = {
    principal: begun.principal ?? undefined,
    authInfo,
    topic,
    url: origin.url,
    headers: () => origin.headers,
  };
  const context: TaskContext = {
    ...contextOf("task", {
      env,
      request,
      payload: { batch: false, messages: [message] },
      caller,
      bus: place.bus(topic),
      userChannel,
      waitUntil,
      settings,
    }),
    task: { id: taskId, attempt, ttlMs, state, progress: onProgress },
  };
  const onNotification = (notification: JsonRpcNotification): void => {
    const said = progressIn(notification);
    if (said !== undefined) onProgress(said);
  };
  return {
    abort: () => controller.abort(),
    answered: serve({ context, request, message, caller, settings, onServer: admit })
      .then((response) => responseIn(response, onNotification))
      .catch(() => failures.interrupted(call.id, false)),
  };
}

/** A tool that reports progress to whoever asks for it reports it to the task. */
function withToken(params: JsonObject, taskId: string): JsonObject {
  const meta = isObject(params["_meta"]) ? params["_meta"] : {};
  return { ...params, _meta: { progressToken: taskId, ...meta } };
}

function progressIn({ method, params }: JsonRpcNotification): string | undefined {
  if (method !== "notifications/progress") return undefined;
  const { message, progress, total } = params ?? {};
  if (typeof message === "string") return message;
  if (typeof progress !== "number") return undefined;
  return typeof total === "number" ? `${progress} of ${total}` : String(progress);
}
