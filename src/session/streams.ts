/**
 * The streams of one session: the standalone stream, which is always there, and one for each call
 * that outlived its POST's quick answer.
 *
 * A stream's object lives while a call feeds it or a connection reads it; the rest of the time it is
 * its row and its log.
 * @module
 */
import { type EventSink, shortId } from "../events.ts";
import type { RequestId } from "../jsonrpc/messages.ts";
import { hasPriming } from "../jsonrpc/versions.ts";
import { randomStreamId } from "../sse/event-id.ts";
import { type LogLimits, openLog } from "./log.ts";
import type { Outlet } from "./ports.ts";
import type { SessionRow, StreamRow } from "./schema.ts";
import type { SessionStore } from "./store.ts";
import { createStream, type Stream } from "./stream.ts";

/** A call that was in flight in an isolate that is gone. */
export interface Unfinished {
  readonly stream: number;
  readonly kind: "call" | "relay";
  /** Client's ids of the requests that were never answered. */
  readonly ids: readonly RequestId[];
  /** The POST's messages as JSON, where they may run again. */
  readonly request: string | null;
  readonly attempts: number;
}

export interface Streams {
  readonly standalone: Stream;
  /** The stream of this number, or undefined where the session holds none such. */
  find(id: number): Stream | undefined;
  /** The same, if it is in memory: for what cannot concern any other. */
  peek(id: number): Stream | undefined;
  /** Opens the stream of a call. `request` is kept so that it can run again. */
  open(ids: readonly RequestId[], request: string | null): Stream;
  /** Records that answers to `ids` are owed on the standalone stream. Returns the record's number. */
  owe(ids: readonly RequestId[], request: string | null): number;
  /** Nothing more is owed under this number. */
  settle(id: number): void;
  /** One request of several is settled: after a restart nobody is owed an answer to it. */
  release(id: number, request: RequestId): void;
  /** One more attempt at a call that runs again. */
  retried(id: number, attempts: number): void;
  /** Streams with a connection. */
  attached(): Stream[];
  /** Forgets what was stored before `before`, and streams that hold nothing more and owe nothing. */
  age(before: number): void;
}

export function createStreams(
  row: SessionRow,
  store: SessionStore,
  limits: LogLimits,
  now: () => number,
  emit: EventSink,
): Streams {
  const live = new Map<number, Stream>();
  const session = shortId(row.id);
  /** HTTP+SSE has no session header: its event ids must name the session themselves. */
  const prefix = row.kind === "http+sse" ? `${row.id}.` : "";

  const freshRow = (stream: number, kind: StreamRow["kind"]): StreamRow => ({
    stream,
    kind,
    pending: "[]",
    request: null,
    attempts: 1,
    trimmed: 0,
    delivered: 0,
    created: now(),
  });

  const build = (
    id: number,
    { trimmed, delivered }: StreamRow,
    mark: (fields: Partial<StreamRow>) => void,
    state: "new" | "open" | "complete",
  ): Stream => {
    const log = openLog(
      store,
      id,
      trimmed,
      limits,
      now,
      (seq) => mark({ trimmed: seq }),
      state === "new" ? { first: 0, last: 0, count: 0, bytes: 0 } : undefined,
    );
    const stream = createStream(id, log, prefix, delivered, state === "complete", {
      onGap: (missed) => emit("replay.gap", { session, missed }),
      onOverflow: (dropped) => emit("queue.overflow", { session, dropped, held: limits.maxEvents }),
      onDelivered: (seq) => mark({ delivered: seq }),
    });
    live.set(id, stream);
    return stream;
  };

  let standaloneRow: StreamRow = store.stream(row.standalone) ?? freshRow(row.standalone, "standalone");
  const standalone = build(
    row.standalone,
    standaloneRow,
    (fields) => {
      // Written only once there is something to remember: most sessions never use the stream.
      standaloneRow = { ...standaloneRow, ...fields };
      store.putStream(standaloneRow);
    },
    "open",
  );

  const record = (kind: "call" | "relay", ids: readonly RequestId[], request: string | null): number => {
    const stream = randomStreamId();
    store.putStream({ ...freshRow(stream, kind), pending: JSON.stringify(ids), request });
    return stream;
  };

  const find = (id: number): Stream | undefined => {
    const known = live.get(id);
    if (known !== undefined) return known;
    const stored = store.stream(id);
    if (stored?.kind !== "call") return undefined;
    const state = owedBy(stored).length > 0 ? "open" : "complete";
    return build(id, stored, (fields) => store.updateStream(id, fields), state);
  };

  return {
    standalone,
    find,
    peek: (id) => live.get(id),
    open(ids, request) {
      const id = record("call", ids, request);
      return build(id, freshRow(id, "call"), (fields) => store.updateStream(id, fields), "new");
    },
    owe: (ids, request) => record("relay", ids, request),
    settle: (id) => store.deleteStream(id),
    release(id, request) {
      const stored = store.stream(id);
      if (stored === undefined) return;
      const pending = JSON.parse(stored.pending) as RequestId[];
      pending.splice(pending.indexOf(request), 1);
      store.updateStream(id, { pending: JSON.stringify(pending) });
    },
    retried: (id, attempts) => store.updateStream(id, { attempts }),
    attached: () => [...live.values()].filter((stream) => stream.outlet() !== undefined),
    age(before) {
      for (const { stream, seq } of store.agedOut(before)) {
        const known = live.get(stream);
        if (known !== undefined) known.log.trim(seq);
        else {
          store.deleteThrough(stream, seq);
          if (store.extent(stream).count > 0) store.updateStream(stream, { trimmed: seq });
        }
      }
      for (const stored of store.streams()) {
        const isInUse = (): boolean => {
          const stream = live.get(stored.stream);
          return stream !== undefined && (!stream.isComplete() || stream.outlet() !== undefined);
        };
        if (stored.kind !== "call" || stored.answered !== null || stored.created >= before || isInUse())
          continue;
        live.delete(stored.stream);
        store.deleteStream(stored.stream);
      }
    },
  };
}

/** Calls that an earlier isolate left unanswered. */
export function unfinishedIn(store: SessionStore): Unfinished[] {
  const found: Unfinished[] = [];
  for (const stored of store.streams()) {
    if (stored.kind === "standalone") continue;
    const ids = owedBy(stored);
    const { stream, kind, request, attempts } = stored;
    if (ids.length > 0) found.push({ stream, kind, ids, request, attempts });
  }
  return found;
}

/** The requests of a stream that no stored event answers. */
function owedBy({ pending, answered }: StreamRow & { answered: string | null }): RequestId[] {
  const settled = JSON.parse(`[${answered ?? ""}]`) as RequestId[];
  return (JSON.parse(pending) as RequestId[]).filter((id) => !settled.includes(id));
}

/** The outlets of all streams, for supervision. */
export function outletsOf(streams: Streams): { stream: Stream; outlet: Outlet }[] {
  return streams.attached().flatMap((stream) => {
    const outlet = stream.outlet();
    return outlet === undefined ? [] : [{ stream, outlet }];
  });
}

/** How a fresh connection of this session opens: clients before 2025-11-25 would take priming for a message. */
export function openingOf(row: SessionRow): "prime" | "plain" {
  return row.kind === "streamable" && hasPriming(row.version) ? "prime" : "plain";
}
