/**
 * Calls that were in flight when their isolate died. Each ends: with one clear error, or, where it
 * may run again, with its result, once somebody is there to wait for it whose credentials it can use.
 * @module
 */
import type { Caller } from "../../host.ts";
import { interrupted, timedOut } from "../../jsonrpc/failures.ts";
import type { JsonRpcRequest, JsonRpcResponse, RequestId } from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import { type CallWatch, outcomeOf, readRequests } from "../../watch.ts";
import type { EventSink } from "../../events.ts";
import { shortId } from "../../log-text.ts";
import type { SessionStore } from "../store/store.ts";
import type { Stream } from "../streams/stream.ts";
import { type Unfinished, unfinishedIn } from "../streams/owed.ts";
import type { Streams } from "../streams/streams.ts";

/** What becomes of the calls that an earlier isolate left unanswered. */
export interface Interrupted {
  /** Once in an isolate: answers what cannot run again. */
  settle(): void;
  /** The requests that would run again for who takes up the stream. */
  waiting(stream: number): readonly JsonRpcRequest[];
  /** Runs those again whose answers the stream carries. */
  rerun(stream: number, caller: Caller): void;
  /** Answers them instead: somebody waits whose credentials are not at hand. */
  giveUp(stream: number): void;
}

/** A call that is to run once more. */
export interface Rerun {
  readonly requests: readonly JsonRpcRequest[];
  /** Who waits for it now. */
  readonly caller: Caller;
  readonly unfinished: Unfinished;
  /** Where the answers go. */
  readonly stream: Stream;
}

/** What is needed to end, or run again, what an earlier isolate left. */
export interface InterruptedOptions {
  readonly sessionId: string;
  readonly emit: EventSink;
  /** Undefined where nobody listens. */
  readonly watch?: CallWatch | undefined;
  readonly store: SessionStore;
  /** How long a call may run, restarts included; 0 for as long as it takes. */
  readonly maxCallMs: number;
  readonly now: () => number;
  readonly isLive: () => boolean;
  /** Undefined for a session that is gone. Not asked where no call was interrupted: most sessions need no streams. */
  readonly streams: () => Streams | undefined;
  /** Hands the requests to the server once more; answers go to `stream`. */
  readonly run: (again: Rerun) => Promise<void>;
}

/** A call that was interrupted this often is not tried again: it may be what kills the isolate. */
const MOST_ATTEMPTS = 3;

/** Reads nothing before it is asked to `settle`. */
export function createInterrupted(options: InterruptedOptions): Interrupted {
  const { store } = options;
  /** Those that may run again, by the stream on which their answers are due. */
  const waiting = new Map<number, Unfinished[]>();
  let settled = false;

  const isOverdue = ({ created }: Unfinished): boolean =>
    options.maxCallMs > 0 && created + options.maxCallMs <= options.now();

  const fail = (held: Streams, unfinished: Unfinished): void => {
    const { kind, stream: id, ids, request } = unfinished;
    const answerTo = (requestId: RequestId): JsonRpcResponse =>
      isOverdue(unfinished) ? timedOut(requestId) : interrupted(requestId, request !== null);
    const stream = kind === "call" ? held.find(id) : held.standalone;
    if (stream === undefined) return;
    store.transaction(() => {
      for (const requestId of ids) {
        void stream.emit(toWire(answerTo(requestId)), JSON.stringify(requestId));
      }
      if (kind === "relay") held.settle(id);
    });
    if (kind === "call") stream.finish();
    const requests = request === null ? [] : requestsOf(unfinished);
    for (const id of ids) {
      const outcome = outcomeOf(answerTo(id));
      options.watch?.over(requests.find((known) => known.id === id) ?? {}, outcome, {
        attempts: unfinished.attempts,
      });
    }
  };

  const requestsOf = (call: Unfinished): JsonRpcRequest[] =>
    readRequests(call.request ?? "[]", call.attempts + 1).filter(({ id }) => call.ids.includes(id));

  return {
    waiting: (id) => (waiting.get(id) ?? []).filter((call) => !isOverdue(call)).flatMap(requestsOf),
    settle() {
      if (settled || !options.isLive()) return;
      settled = true;
      const unfinished = unfinishedIn(store);
      const held = unfinished.length > 0 ? options.streams() : undefined;
      if (held === undefined) return;
      for (const call of unfinished) {
        if (call.request === null || call.attempts >= MOST_ATTEMPTS || isOverdue(call)) {
          fail(held, call);
          continue;
        }
        const stream = call.kind === "call" ? call.stream : held.standalone.id;
        waiting.set(stream, [...(waiting.get(stream) ?? []), call]);
      }
      options.emit("session.interrupted", {
        session: shortId(options.sessionId),
        calls: unfinished.length,
      });
    },
    rerun(id, caller) {
      const calls = waiting.get(id) ?? [];
      waiting.delete(id);
      const held = options.streams();
      if (held === undefined) return;
      for (const call of calls) {
        if (isOverdue(call)) {
          fail(held, call);
          continue;
        }
        held.retried(call.stream, call.attempts + 1);
        const stream = call.kind === "call" ? held.find(call.stream) : held.standalone;
        if (stream === undefined) continue;
        options.run({ requests: requestsOf(call), caller, unfinished: call, stream }).catch(() => {
          // Where the session has ended or was let go of meanwhile, the call is no longer ours to answer.
          if (options.streams() === held) fail(held, call);
        });
      }
    },
    giveUp(id) {
      const held = options.streams();
      if (held === undefined) return;
      for (const call of waiting.get(id) ?? []) fail(held, call);
      waiting.delete(id);
    },
  };
}
