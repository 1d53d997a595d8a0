/**
 * The streams of one session: the standalone stream, which is always there, and one for each call
 * that outlived its POST's quick answer.
 *
 * A stream's object lives while a call feeds it or a connection reads it; the rest of the time it is
 * its row and its log.
 * @module
 */
import type { DisconnectReason, EventSink } from "../../events.ts";
import { shortId } from "../../log-text.ts";
import type { RequestId } from "../../jsonrpc/messages.ts";
import { hasPriming } from "../../jsonrpc/versions.ts";
import { randomStreamId } from "../../sse/event-id.ts";
import { type LogLimits, openLog } from "./log.ts";
import type { Outlet } from "./outlet.ts";
import { type Held, Holdings } from "./holdings.ts";
import { Owing, owedBy } from "./owed.ts";
import type { QuotaLimits } from "./quota.ts";
import { type LogExtent, PART, type SessionRow, type StreamRow } from "../store/schema.ts";
import type { SessionStore } from "../store/store.ts";
import { createStream, type LinkHooks, type Stream } from "./stream.ts";
import { Tally } from "./tally.ts";

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
export function createStreams(options: StreamsOptions): Streams {
  return new Streams(options);
}

/** The streams of one session. */
export class Streams implements Held {
  readonly #options: StreamsOptions;
  readonly #live = new Map<number, Stream>();
  readonly #holdings: Holdings;
  readonly #owing: Owing;
  readonly #dropped: Tally;

  constructor(options: StreamsOptions) {
    const { row, store, limits, emit } = options;
    this.#options = options;
    this.#holdings = new Holdings(options, this);
    this.#owing = new Owing(store);
    this.#dropped = new Tally(BURST_MS, (dropped) =>
      emit("queue.overflow", { session: shortId(row.id), dropped, held: limits.maxEvents }),
    );
  }

  get standalone(): Stream {
    return this.#live.get(this.#options.row.standalone) ?? this.#buildStandalone();
  }

  /** The stream of this number, or undefined where the session holds none such. */
  find(id: number): Stream | undefined {
    if (id === this.#options.row.standalone) return this.standalone;
    const known = this.#live.get(id);
    if (known !== undefined) return known;
    const { store } = this.#options;
    const stored = store.stream(id);
    if (stored?.kind !== "call") return undefined;
    return this.#build({
      row: stored,
      mark: (fields) => store.updateStream(id, fields),
      complete: owedBy(stored).length === 0,
      extent: this.#holdings.extent(id) ?? EMPTY,
    });
  }

  /** The same, if it is in memory: for what cannot concern any other. */
  peek(id: number): Stream | undefined {
    return id === this.#options.row.standalone ? this.standalone : this.#live.get(id);
  }

  opened(id: number): Stream | undefined {
    return this.#live.get(id);
  }

  /** Opens the stream of a call. `request` is kept so that it can run again. */
  open(ids: readonly RequestId[], request: string | null): Stream {
    const { store, now } = this.#options;
    const id = this.#record("call", ids, request);
    return this.#build({
      row: freshRow(id, "call", now()),
      mark: (fields) => store.updateStream(id, fields),
      complete: false,
      extent: EMPTY,
    });
  }

  /** Records that answers to `ids` are owed on the standalone stream. Returns the record's number. */
  owe(ids: readonly RequestId[], request: string | null): number {
    return this.#record("relay", ids, request);
  }

  /** Nothing more is owed under this number. */
  settle(id: number): void {
    this.#options.store.deleteStream(id);
    this.#live.delete(id);
    this.#owing.forget(id);
    this.#holdings.unkeep(id);
  }

  /** One request of several is settled: after a restart nobody is owed an answer to it. */
  release(id: number, request: RequestId): void {
    this.#options.store.updateStream(id, { pending: this.#owing.strike(id, [request]) });
  }

  /** One more attempt at a call that runs again. */
  retried(id: number, attempts: number): void {
    this.#options.store.updateStream(id, { attempts });
  }

  /** A call's stream that its client has left with its token, and that this one may have come for: see `locate.ts`. */
  forsaken(now: number): { readonly stream: Stream; readonly at: number } | undefined {
    for (const [id, stream] of this.#live) {
      const at = id === this.#options.row.standalone ? undefined : stream.forsakenAt(now);
      if (at !== undefined) return { stream, at };
    }
    return undefined;
  }

  /** Streams in memory. */
  live(): Iterable<Stream> {
    return this.#live.values();
  }

  /** Streams with a connection. */
  attached(): Stream[] {
    return [...this.#live.values()].filter((stream) => stream.outlet() !== undefined);
  }

  /**
   * Forgets what was stored before `before`, and streams that hold nothing more and owe nothing. The log is read
   * once. Returns when the oldest event that remains was stored; undefined where none does.
   */
  age(before: number): number | undefined {
    const { store, row } = this.#options;
    const rows = store.streamRows();
    const isStored = new Set(rows.map(({ stream }) => stream));
    let oldest: number | undefined;
    const holding = new Set<number>();
    for (const log of this.#holdings.survey(before)) {
      const { stream: id, aged, oldest: kept } = log;
      const stream = id === row.standalone ? this.standalone : this.#live.get(id);
      if (aged !== null && stream !== undefined) stream.log.trim(aged);
      else if (aged !== null) {
        const answered = this.#holdings.trim(log, aged);
        if (isStored.has(id) && kept !== null) {
          store.updateStream(id, { trimmed: aged, pending: this.#owing.strike(id, answered) });
        }
      }
      if (kept === null) continue;
      holding.add(id);
      oldest = Math.min(oldest ?? kept, kept);
    }
    for (const { stream: id, kind, created } of rows) {
      const stream = this.#live.get(id);
      const isInUse = stream !== undefined && (!stream.isComplete() || stream.outlet() !== undefined);
      if (kind === "call" && !holding.has(id) && created < before && !isInUse) this.settle(id);
    }
    return oldest;
  }

  /** Ends all connections; what is to be told is told. */
  close(reason: DisconnectReason): void {
    for (const stream of this.#live.values()) stream.end(reason);
    this.#dropped.flush();
  }

  #build({ row: { stream: id, trimmed, delivered }, mark, complete, extent }: Built): Stream {
    const { row, store, limits, now, emit } = this.#options;
    const log = openLog({
      store,
      stream: id,
      trimmed,
      extent,
      limits,
      quota: this.#holdings.quota,
      now,
      onTrimmed: (seq, answered) => {
        // An answer that is held no longer must not be taken for one that is owed.
        const isOwn = id !== row.standalone && answered.length > 0;
        mark({ trimmed: seq, ...(isOwn && { pending: this.#owing.strike(id, answered) }) });
      },
    });
    const stream = createStream({
      id,
      log,
      // HTTP+SSE has no session header: its event ids must name the session themselves.
      prefix: row.kind === "http+sse" ? `${row.id}.` : "",
      delivered,
      complete,
      hooks: {
        onGap: (missed) => emit("replay.gap", { session: shortId(row.id), missed }),
        onOverflow: (dropped) => this.#dropped.add(dropped),
        links: this.#links(id),
        onDelivered: (seq) => mark({ delivered: seq }),
      },
    });
    this.#live.set(id, stream);
    return stream;
  }

  /** Two closures for each stream, where anybody listens. */
  #links(id: number): LinkHooks | undefined {
    const { row, emit } = this.#options;
    if (emit.hears?.("stream.attached") === false) return undefined;
    const of = { session: shortId(row.id), stream: id.toString(36) };
    return {
      onAttached: (connectionId, redialled) => emit("stream.attached", { ...of, connectionId, redialled }),
      onDetached: (connectionId, reason) => emit("stream.detached", { ...of, connectionId, reason }),
    };
  }

  #buildStandalone(): Stream {
    const { store, now, row } = this.#options;
    const id = row.standalone;
    let stored: StreamRow = store.streamRow(id) ?? freshRow(id, "standalone", now());
    const extent = this.#holdings.extent(id);
    const delivered = extent === undefined ? 0 : store.handed(id);
    return this.#build({
      row: { ...stored, delivered: Math.max(stored.delivered, delivered) },
      mark(fields) {
        // Written only once there is something to remember: most sessions never use the stream.
        stored = { ...stored, ...fields };
        store.putStream(stored);
      },
      complete: false,
      extent: extent ?? EMPTY,
    });
  }

  #record(kind: "call" | "relay", ids: readonly RequestId[], request: string | null): number {
    const stream = randomStreamId();
    const pending = JSON.stringify(ids);
    // Refused before anything is promised: the POST then waits for its answer as long as it takes.
    if (pending.length > PART) throw new RangeError("The ids of the requests are too long to be kept");
    const kept = this.#holdings.keep(stream, request);
    this.#options.store.putStream({ ...freshRow(stream, kind, this.#options.now()), pending, request: kept });
    this.#owing.add(stream, ids);
    return stream;
  }
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
