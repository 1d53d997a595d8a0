/**
 * Calls, told as they begin and end: which, whose, how long, how they ended; payloads never. It costs nothing
 * where nobody listens: then there is no watch.
 * @module
 */
import type { CallEvent, EventSink, Outcome, StartedCall } from "./events.ts";
import { clientText } from "./log-text.ts";
import { hookFailed } from "./hooks.ts";
import { isObject, type JsonObject, type JsonRpcRequest, type JsonRpcResponse } from "./jsonrpc/messages.ts";
import type { ClientInfo } from "./sessions.ts";

/**
 * Runs each call: must call `run`, once and at once. What it is called within (an async context, a span) the
 * handlers run within. `mark`, of 512 characters at most, is kept with a call that may run again; its next attempt
 * has it as `first`.
 */
export type OnCall = (call: StartedCall, run: (mark?: string) => void) => void;

/** What is the same for all calls of a session, or of a request without one. */
export type CallOrigin = Pick<
  CallEvent,
  "session" | "era" | "transport" | "version" | "principal" | "client" | "clientVersion"
>;

/** Tells of calls. */
export interface CallWatch {
  /** @param headers of its HTTP request, names in lower case */
  began(request: JsonRpcRequest, headers?: () => Readonly<Record<string, unknown>> | undefined): WatchedCall;
  /** A request that was not run at all, or not in this isolate; `known` is what is known better of it. */
  over(
    request: Partial<Pick<JsonRpcRequest, "method" | "params">>,
    outcome: Outcome,
    known?: Partial<CallEvent>,
  ): void;
}

/** A call that is under way. */
export interface WatchedCall {
  /** Runs it, within `onCall` where there is one. */
  run(body: () => void): void;
  /** Tells of its end, once. */
  ended(outcome: Outcome, answer: { readonly bytes: number; readonly streamed: boolean }): void;
}

/** Who listens. */
export interface WatchOptions {
  readonly emit: EventSink;
  readonly onCall?: OnCall | undefined;
}

const LONGEST_MARK = 512;

/** Undefined where nobody listens. */
export function watchCalls(options: WatchOptions, origin: () => CallOrigin): CallWatch | undefined {
  const { emit, onCall } = options;
  const isHeard = (type: "call.started" | "call.ended"): boolean => emit.hears?.(type) !== false;
  const isWatched = onCall !== undefined || isHeard("call.ended") || isHeard("call.started");
  return isWatched ? new Watching(options, origin) : undefined;
}

/** A class, for each session has one. */
class Watching implements CallWatch {
  readonly #options: WatchOptions;
  readonly #origin: () => CallOrigin;

  constructor(options: WatchOptions, origin: () => CallOrigin) {
    this.#options = options;
    this.#origin = origin;
  }

  began(request: JsonRpcRequest, headers?: () => Readonly<Record<string, unknown>> | undefined): WatchedCall {
    const { emit, onCall } = this.#options;
    const { attempts = 1, mark: first } = carried.get(request) ?? {};
    const call = this.#describe(request, attempts);
    const requestId = clientText(String(request.id));
    const started = { ...call, requestId, ...traceOf(request.params, headers?.()), first };
    emit("call.started", started);
    return new Watched({ emit, call, request, run: onCall && ((run) => onCall(started, run)) });
  }

  over(
    request: Partial<Pick<JsonRpcRequest, "method" | "params">>,
    outcome: Outcome,
    known?: Partial<CallEvent>,
  ): void {
    const call = { ...this.#describe(request, 1), ...known };
    this.#options.emit("call.ended", { ...call, outcome, ms: 0, streamed: false, bytes: 0 });
  }

  #describe(
    { method, params }: { readonly method?: string | undefined; readonly params?: JsonObject | undefined },
    attempts: number,
  ): CallEvent {
    return {
      call: nextCall(),
      method: method === undefined ? undefined : clientText(method),
      name: nameIn({ method, params }),
      ...this.#origin(),
      ...(method === "initialize" && introduced(params)),
      attempts,
    };
  }
}

interface WatchedOptions {
  readonly emit: EventSink;
  readonly call: CallEvent;
  readonly request: JsonRpcRequest;
  readonly run: ((run: (mark?: string) => void) => void) | undefined;
}

/** A class, for one is made for each call that is heard of. */
class Watched implements WatchedCall {
  readonly #options: WatchedOptions;
  readonly #at = performance.now();
  #isOver = false;

  constructor(options: WatchedOptions) {
    this.#options = options;
  }

  run(body: () => void): void {
    const { emit, call, request, run: within } = this.#options;
    if (within === undefined) return body();
    let hasRun = false;
    const run = (mark?: string): void => {
      if (hasRun) return;
      hasRun = true;
      const isKept = typeof mark === "string" && mark.length <= LONGEST_MARK && !carried.has(request);
      if (isKept) carried.set(request, { mark, attempts: call.attempts });
      body();
    };
    try {
      within(run);
    } catch (error) {
      hookFailed(emit, "onCall", error);
    }
    // Whatever the hook did, the call is run.
    run();
  }

  ended(outcome: Outcome, { bytes, streamed }: { readonly bytes: number; readonly streamed: boolean }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { emit, call } = this.#options;
    const ms = Math.round((performance.now() - this.#at) * 10) / 10;
    emit("call.ended", { ...call, outcome, ms, streamed, bytes });
  }
}

/** What goes with a request from attempt to attempt, beside what it says itself. */
const carried = new WeakMap<
  JsonRpcRequest,
  { readonly mark: string | undefined; readonly attempts: number }
>();

/** Requests as they are kept, so that they can run again. */
export function writeRequests(requests: readonly JsonRpcRequest[]): string {
  return JSON.stringify(requests.map((request) => ({ ...request, mark: carried.get(request)?.mark })));
}

/**
 * Requests that were kept, as they run again.
 * @param attempts this one included
 */
export function readRequests(json: string, attempts: number): JsonRpcRequest[] {
  return (JSON.parse(json) as (JsonRpcRequest & { mark?: string })[]).map(({ mark, ...request }) => {
    carried.set(request, { mark, attempts });
    return request;
  });
}

/** Names of calls are their isolate's, so that a call's beginning and end can be told to belong together. */
const isolate = Math.floor(Math.random() * 36 ** 6)
  .toString(36)
  .padStart(6, "0");
let calls = 0;
function nextCall(): string {
  calls += 1;
  return `${isolate}.${calls.toString(36)}`;
}

/** How a call ended that was answered. */
export function outcomeOf({ result, error }: Pick<JsonRpcResponse, "result" | "error">): Outcome {
  if (error === undefined) return result?.["isError"] === true ? "tool-error" : "ok";
  return isObject(error.data) && error.data["reason"] === "interrupted" ? "interrupted" : error.code;
}

/** Where a request says what it is about. Any other member is what it says of it, and is for no log. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "resources/subscribe": "uri",
  "resources/unsubscribe": "uri",
};

/** The name of a request's tool, prompt or resource; cut, control characters escaped. */
export function nameIn({
  method = "",
  params,
}: {
  readonly method?: string | undefined;
  readonly params?: JsonObject | undefined;
}): string | undefined {
  const by = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  const name = by && params?.[by];
  return typeof name === "string" ? clientText(name) : undefined;
}

/** What the params of an `initialize`, or the `_meta` of a request of 2026-07-28, say of their client. */
export function clientOf(info: unknown): ClientInfo | undefined {
  if (!isObject(info) || typeof info["name"] !== "string") return undefined;
  const { version } = info;
  return {
    name: clientText(info["name"]),
    version: typeof version === "string" ? clientText(version) : undefined,
  };
}

function introduced(params: JsonObject | undefined): Partial<CallOrigin> {
  const client = clientOf(params?.["clientInfo"]);
  return client === undefined ? {} : { client: client.name, clientVersion: client.version };
}

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACESTATE = /^[ -~]{1,512}$/;

/** Where a call stands in its client's trace. What does not look like it is not passed on. */
function traceOf(
  params: JsonObject | undefined,
  headers: Readonly<Record<string, unknown>> | undefined,
): Pick<StartedCall, "traceparent" | "tracestate"> {
  const meta = params?.["_meta"];
  const inMeta = isObject(meta) && typeof meta["traceparent"] === "string";
  const { traceparent, tracestate } = (inMeta ? meta : headers) ?? {};
  if (typeof traceparent !== "string" || !TRACEPARENT.test(traceparent)) {
    return { traceparent: undefined, tracestate: undefined };
  }
  const isState = typeof tracestate === "string" && TRACESTATE.test(tracestate);
  return { traceparent, tracestate: isState ? tracestate : undefined };
}
