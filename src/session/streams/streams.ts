/**
 * The streams of one session: the standalone stream, which is always there, and one for each call
 * that outlived its POST's quick answer.
 *
 * A stream's object lives while a call feeds it or a connection reads it; the rest of the time it is
 * its row and its log.
 * @module
 */
import { type DisconnectReason, type EventSink, shortId } from "../../events.ts";
import type { RequestId } from "../../jsonrpc/messages.ts";
import { hasPriming } from "../../jsonrpc/versions.ts";
import { randomStreamId } from "../../sse/event-id.ts";
import { type LogLimits, openLog } from "./log.ts";
import type { Outlet } from "./outlet.ts";
import { createHoldings } from "./holdings.ts";
import { createOwing, owedBy } from "./owed.ts";
import type { QuotaLimits } from "./quota.ts";
import { type LogExtent, PART, type SessionRow, type StreamRow } from "../store/schema.ts";
import type { SessionStore } from "../store/store.ts";
import { createStream, type Stream } from "./stream.ts";
import { createTally } from "./tally.ts";

/** The streams of one session. */
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
  /** A call's stream that its client has left with its token, and that this one may have come for: see `locate.ts`. */
  forsaken(now: number): { readonly stream: Stream; readonly at: number } | undefined;
  /** Streams with a connection. */
  attached(): Stream[];
  /** Streams in memory. */
  live(): Iterable<Stream>;
  /**
   * Forgets what was stored before `before`, and streams that hold nothing more and owe nothing. The log is read
   * once. Returns when the oldest event that remains was stored; undefined where none does.
   */
  age(before: number): number | undefined;
  /** Ends all connections; what is to be told is told. */
  close(reason: DisconnectReason): void;
}

/** Events are dropped one at a time, and told of once in this time. */
const BURST_MS = 1000;

const EMPTY: LogExtent = { first: 0, last: 0, bytes: 0 };

/** Whose streams they are, and what they may keep. */
export interface StreamsOptions {
  /** The session's. */
  readonly row: SessionRow;
  readonly store: SessionStore;
  readonly limits: LogLimits & QuotaLimits;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly emit: EventSink;
}

/** A stream that is to be in memory: what its row says, and how changes of that are stored. */
interface Built {
  readonly row: Pick<StreamRow, "stream" | "trimmed" | "delivered">;
  readonly mark: (fields: Partial<StreamRow>) => void;
  readonly complete: boolean;
  readonly extent: LogExtent;
}

/** Reads nothing before a stream is asked for. */
export function createStreams({ row, store, limits, now, emit }: StreamsOptions): Streams {
  const live = new Map<number, Stream>();
  const session = shortId(row.id);
  /** HTTP+SSE has no session header: its event ids must name the session themselves. */
  const prefix = row.kind === "http+sse" ? `${row.id}.` : "";

  const holdings = createHoldings({
    store,
    limits,
    peek: (id) => live.get(id),
    find: (id) => find(id),
  });
  const { quota } = holdings;
  const dropped = createTally(BURST_MS, (count) =>
    emit("queue.overflow", { session, dropped: count, held: limits.maxEvents }),
  );

  const owing = createOwing(store);

  const build = ({ row: { stream: id, trimmed, delivered }, mark, complete, extent }: Built): Stream => {
    const log = openLog({
      store,
      stream: id,
      trimmed,
      extent,
      limits,
      quota,
      now,
      onTrimmed(seq, answered) {
        // An answer that is held no longer must not be taken for one that is owed.
        const isOwn = id !== row.standalone && answered.length > 0;
        mark({ trimmed: seq, ...(isOwn && { pending: owing.strike(id, answered) }) });
      },
    });
    const stream = createStream({
      id,
      log,
      prefix,
      delivered,
      complete,
      hooks: {
        onGap: (missed) => emit("replay.gap", { session, missed }),
        onOverflow: dropped.add,
        onDelivered: (seq) => mark({ delivered: seq }),
      },
    });
    live.set(id, stream);
    return stream;
  };

  const buildStandalone = (): Stream => {
    const id = row.standalone;
    let stored: StreamRow = store.streamRow(id) ?? freshRow(id, "standalone", now());
    const extent = holdings.extent(id);
    const delivered = extent === undefined ? 0 : store.handed(id);
    return build({
      row: { ...stored, delivered: Math.max(stored.delivered, delivered) },
      mark(fields) {
        // Written only once there is something to remember: most sessions never use the stream.
        stored = { ...stored, ...fields };
        store.putStream(stored);
      },
      complete: false,
      extent: extent ?? EMPTY,
    });
  };
  const standalone = (): Stream => live.get(row.standalone) ?? buildStandalone();

  const record = (kind: "call" | "relay", ids: readonly RequestId[], request: string | null): number => {
    const stream = randomStreamId();
    const pending = JSON.stringify(ids);
    // Refused before anything is promised: the POST then waits for its answer as long as it takes.
    if (pending.length > PART) throw new RangeError("The ids of the requests are too long to be kept");
    store.putStream({ ...freshRow(stream, kind, now()), pending, request: holdings.keep(stream, request) });
    owing.add(stream, ids);
    return stream;
  };

  const forget = (id: number): void => {
    store.deleteStream(id);
    live.delete(id);
    owing.forget(id);
    holdings.unkeep(id);
  };

  const find = (id: number): Stream | undefined => {
    if (id === row.standalone) return standalone();
    const known = live.get(id);
    if (known !== undefined) return known;
    const stored = store.stream(id);
    if (stored?.kind !== "call") return undefined;
    return build({
      row: stored,
      mark: (fields) => store.updateStream(id, fields),
      complete: owedBy(stored).length === 0,
      extent: holdings.extent(id) ?? EMPTY,
    });
  };

  return {
    get standalone() {
      return standalone();
    },
    find,
    peek: (id) => (id === row.standalone ? standalone() : live.get(id)),
    open(ids, request) {
      const id = record("call", ids, request);
      return build({
        row: freshRow(id, "call", now()),
        mark: (fields) => store.updateStream(id, fields),
        complete: false,
        extent: EMPTY,
      });
    },
    owe: (ids, request) => record("relay", ids, request),
    settle: forget,
    release: (id, request) => store.updateStream(id, { pending: owing.strike(id, [request]) }),
    retried: (id, attempts) => store.updateStream(id, { attempts }),
    forsaken(at) {
      for (const [id, stream] of live) {
        const forsakenAt = id === row.standalone ? undefined : stream.forsakenAt(at);
        if (forsakenAt !== undefined) return { stream, at: forsakenAt };
      }
      return undefined;
    },
    live: () => live.values(),
    attached: () => [...live.values()].filter((stream) => stream.outlet() !== undefined),
    age(before) {
      const rows = store.streamRows();
      const isStored = new Set(rows.map(({ stream }) => stream));
      let oldest: number | undefined;
      const holding = new Set<number>();
      for (const log of holdings.survey(before)) {
        const { stream: id, aged, oldest: kept } = log;
        const stream = id === row.standalone ? standalone() : live.get(id);
        if (aged !== null && stream !== undefined) stream.log.trim(aged);
        else if (aged !== null) {
          const answered = holdings.trim(log, aged);
          if (isStored.has(id) && kept !== null) {
            store.updateStream(id, { trimmed: aged, pending: owing.strike(id, answered) });
          }
        }
        if (kept === null) continue;
        holding.add(id);
        oldest = Math.min(oldest ?? kept, kept);
      }
      for (const { stream: id, kind, created } of rows) {
        const stream = live.get(id);
        const isInUse = stream !== undefined && (!stream.isComplete() || stream.outlet() !== undefined);
        if (kind === "call" && !holding.has(id) && created < before && !isInUse) forget(id);
      }
      return oldest;
    },
    close(reason) {
      for (const stream of live.values()) stream.end(reason);
      dropped.flush();
    },
  };
}

/**
 * What the standalone stream remembers while its session sleeps without its events: where it ended, so that numbers
 * go on from there, and a client that was not handed all of it is told of the gap.
 */
export function retireStandalone(store: SessionStore, standalone: number, now: number): void {
  const log = store.survey(0).find(({ stream }) => stream === standalone);
  const row = store.streamRow(standalone);
  if (log === undefined && row === undefined) return;
  const kept = row ?? freshRow(standalone, "standalone", now);
  const delivered = Math.max(kept.delivered, store.handed(standalone));
  store.putStream({ ...kept, delivered, trimmed: Math.max(log?.last ?? 0, kept.trimmed) });
}

function freshRow(stream: number, kind: StreamRow["kind"], created: number): StreamRow {
  return {
    stream,
    kind,
    pending: "[]",
    request: null,
    attempts: 1,
    trimmed: 0,
    delivered: 0,
    created,
  };
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
