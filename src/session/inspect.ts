/**
 * A session as it is, for whoever runs the server: what is stored, and what is in memory where it is. Looking
 * uses nothing: no server is started, no time of last use is moved, nothing is written.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import type {
  CallDetail,
  ClientInfo,
  SessionDetail,
  SessionLogs,
  SessionSummary,
  StreamDetail,
} from "../sessions.ts";
import { clientOf } from "../watch.ts";
import type { Outlet } from "./streams/outlet.ts";
import { owedBy } from "./streams/owed.ts";
import type { SessionRow } from "./store/schema.ts";
import type { SessionStore } from "./store/store.ts";

/** What is in memory of a session. */
export interface InMemory {
  readonly lastUsed: number;
  readonly calls: readonly CallDetail[];
  readonly streams: readonly LiveStream[];
}

/** A stream as it is in memory. */
export interface LiveStream {
  readonly stream: number;
  readonly acked: number;
  readonly outlet: Outlet | undefined;
}

/** The columns that a list needs. */
export type ListedRow = Pick<
  SessionRow,
  "id" | "principal" | "kind" | "version" | "initialize" | "created" | "seen" | "status"
>;

/** What the `initialize` that is stored says of its client. */
export function storedClient(initialize: string | null): ClientInfo | undefined {
  return initialize === null ? undefined : clientOf((JSON.parse(initialize) as JsonObject)["clientInfo"]);
}

/** What a list says of a session. */
export function summaryOf(row: ListedRow): SessionSummary & Pick<SessionDetail, "status" | "lastUsed"> {
  return {
    id: row.id,
    principal: row.principal ?? undefined,
    transport: row.kind,
    version: row.version,
    client: storedClient(row.initialize),
    created: row.created,
    status: row.status,
    lastUsed: row.seen,
  };
}

/** Where a session is looked at: in its store, and in memory where it is there. */
export interface InspectOptions {
  readonly store: SessionStore;
  /** Undefined for a session that is not in memory. */
  readonly inMemory: InMemory | undefined;
  readonly alarm: number | undefined;
  /** Undefined where nothing is noted. */
  readonly logs: SessionLogs | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * The session that the store holds; undefined where it holds none.
 * @throws {LaterSchema} where a later version stored it
 */
export function inspect({ store, inMemory, alarm, logs, now }: InspectOptions): SessionDetail | undefined {
  const row = store.load();
  if (row === undefined) return undefined;
  const extents = new Map(store.survey(0).map((log) => [log.stream, log]));
  const live = new Map(inMemory?.streams.map((stream) => [stream.stream, stream]));
  const rows = store.streams();
  const standalone = rows.find(({ stream }) => stream === row.standalone) ?? {
    stream: row.standalone,
    kind: "standalone" as const,
    pending: "[]",
    answered: null,
    trimmed: 0,
    delivered: 0,
  };
  const calls = rows.filter(({ stream }) => stream !== row.standalone);

  const detail = (of: typeof standalone): StreamDetail => {
    const log = extents.get(of.stream);
    const held = live.get(of.stream);
    const cursor = Math.max(log?.last ?? 0, of.trimmed);
    const acked = held?.acked ?? Math.max(of.delivered, log === undefined ? 0 : store.handed(of.stream));
    const { outlet } = held ?? {};
    return {
      stream: of.stream.toString(36),
      kind: of.kind,
      cursor,
      acked,
      backlog: Math.max(0, cursor - Math.max(acked, of.trimmed)),
      trimmed: of.trimmed,
      bytes: log?.bytes ?? 0,
      owes: owedBy(of).length,
      connection: outlet && { id: outlet.connectionId, ageMs: now - outlet.openedAt },
    };
  };

  const summary = summaryOf(row);
  return {
    ...summary,
    lastUsed: Math.max(summary.lastUsed, inMemory?.lastUsed ?? 0),
    streams: [standalone, ...calls].map(detail),
    calls: inMemory?.calls ?? [],
    alarm,
    stored: store.weight(),
    log: logs?.read(row.id),
  };
}
