/** How the exchanges of a session's POSTs are tied to its streams, its records of what is owed, and its alarm. @module */
import type { JsonRpcRequest } from "../../jsonrpc/messages.ts";
import type { Settings } from "../../options.ts";
import type { Leave } from "../../room.ts";
import type { Delay } from "./delays.ts";
import { createCallExchange, createJsonExchange, createRelayExchange, type JsonOptions } from "./exchange.ts";
import type { AnswerStream, PostOptions } from "./post.ts";
import type { Exchange } from "../server/reply.ts";
import type { SessionRow } from "../store/schema.ts";
import { writeRequests } from "../../watch.ts";
import { openingOf, type Streams } from "../streams/streams.ts";

/** What exchanges are made of. */
export interface ExchangesOptions extends Pick<JsonOptions, "sendStandalone" | "asideStandalone"> {
  readonly settings: Settings;
  readonly quick: Delay;
  readonly now: () => number;
  /** Makes sure that the alarm rings by then. */
  readonly by: (at: number) => void;
  readonly streamsOf: (row: SessionRow) => Streams;
  /** Undefined for a session that is gone. */
  readonly streams: () => Streams | undefined;
}

/** What an exchange is for, besides its requests. */
export interface ExchangeKind {
  readonly mode: "call" | "json" | "relay";
  readonly batch: boolean;
  /** The stream of a call that runs again. */
  stream?: AnswerStream;
  /** The record of what is owed, where there is one already. */
  owed?: number;
  /** Hears of the stream that is opened for it. */
  outlet?: (stream: number) => void;
  /** Its server holds nothing of it any more: each request was settled, or the server is gone. */
  over?: Leave;
}

type Settled = Parameters<NonNullable<PostOptions["onSettled"]>>[0];

/** How long a request may run; Infinity for as long as it takes. */
export function callLimit({ maxCallMs, initializeTimeoutMs }: Settings, { method }: JsonRpcRequest): number {
  const most = maxCallMs === 0 ? Infinity : maxCallMs;
  return method === "initialize" ? Math.min(most, initializeTimeoutMs) : most;
}

/** Returns what makes the exchange of a POST, or of an interrupted call that runs again. */
export function createExchanges(
  options: ExchangesOptions,
): (row: SessionRow, requests: readonly JsonRpcRequest[], kind: ExchangeKind) => Exchange {
  const { settings, quick, now, by, streamsOf, streams, sendStandalone, asideStandalone } = options;
  return (row, requests, kind) => {
    const ids = requests.map((request) => request.id);
    const rerun = requests.every(settings.rerun);
    const kept = (): string | null => (rerun ? writeRequests(requests) : null);
    let { owed } = kind;
    const post = {
      ids,
      batch: kind.batch,
      quick,
      rerun,
      maxHeld: settings.maxEventBytes,
      sendStandalone,
      onLasting() {
        const limit = Math.min(...requests.map((request) => callLimit(settings, request)));
        if (limit < Infinity) by(now() + limit);
      },
      onSettled({ id: settled, cancelled, last, stream }: Settled) {
        if (last) kind.over?.();
        if (owed === undefined && stream === undefined) return;
        const held = streams();
        if (held === undefined) return;
        if (owed !== undefined && last) held.settle(owed);
        else if (owed !== undefined) held.release(owed, settled);
        else if (stream !== undefined && cancelled) held.release(stream.id, settled);
      },
    };
    if (kind.mode === "json") return createJsonExchange({ ...post, asideStandalone });
    if (kind.mode === "relay") {
      return createRelayExchange({
        ...post,
        asideStandalone,
        owe() {
          // A call that runs again is on record already.
          owed ??= streamsOf(row).owe(ids, kept());
        },
      });
    }
    return createCallExchange({
      ...post,
      resumes: openingOf(row) === "prime",
      stream: kind.stream,
      onSuspended: kind.over,
      openStream() {
        const stream = streamsOf(row).open(ids, kept());
        kind.outlet?.(stream.id);
        by(now() + Math.min(settings.messageTtlMs, settings.maxStreamMs));
        return stream;
      },
    });
  };
}
