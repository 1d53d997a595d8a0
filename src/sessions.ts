/**
 * Sessions from the server's side: what can be asked of them, and what is told. Payloads are in none of it.
 * @module
 */
import type { EventSink, HoldfastEvent } from "./events.ts";

/** Who the client says that it is, as it was initialised: cut, control characters escaped. */
export interface ClientInfo {
  readonly name: string;
  readonly version: string | undefined;
}

/** A session in a list: what is known of it without waking it. Times are milliseconds since 1970. */
export interface SessionSummary {
  /** The whole id, with which a client that is asked for no credentials can use the session: handle it as a secret. */
  readonly id: string;
  /** Whose it is; undefined where there is no `authorize`. */
  readonly principal: string | undefined;
  /** Streamable HTTP (2025-03-26 on), or HTTP+SSE (2024-11-05). */
  readonly transport: "streamable" | "http+sse";
  /** The protocol revision that was agreed on. */
  readonly version: string;
  /** Undefined where the client has said nothing of itself. */
  readonly client: ClientInfo | undefined;
  readonly created: number;
  /**
   * `provisional` until it is first used, then `active`; `ended` for one whose time is up, and which its client may
   * still take up. Undefined in a Worker's list, which wakes nothing.
   */
  readonly status: "provisional" | "active" | "ended" | undefined;
  /** When it was last used, to within a tenth of its TTL in a list; undefined in a Worker's list. */
  readonly lastUsed: number | undefined;
  /** Among several processes the one that has it, by its address; undefined where it is in none's memory. */
  readonly process?: string | undefined;
}

/** One of a session's streams. `cursor`, `acked` and `trimmed` are numbers of events, counted from 1 in each stream. */
export interface StreamDetail {
  /** The part of its event ids in front of the dot. */
  readonly stream: string;
  /** `call`: the answer of a POST; `relay`: answers that HTTP+SSE owes on the standalone stream. */
  readonly kind: "standalone" | "call" | "relay";
  /** The last event that it has. */
  readonly cursor: number;
  /** The last that its client is known to have been handed: to the moment while it is connected, else as it is stored. */
  readonly acked: number;
  /** Events that it holds and its client is not known to have. */
  readonly backlog: number;
  /** Events up to this one are no longer held. */
  readonly trimmed: number;
  /** Characters of the events that it holds. */
  readonly bytes: number;
  /** Requests that it has yet to answer. */
  readonly owes: number;
  /** The connection that is fed from it. */
  readonly connection: { readonly id: string; readonly ageMs: number } | undefined;
}

/** A request in flight. */
export interface CallDetail {
  /** The JSON-RPC method. */
  readonly method: string;
  /** Of the tool, prompt or resource. */
  readonly name: string | undefined;
  readonly ageMs: number;
}

/** Something that happened to a session: an event of this type, with those of its fields that are told here. */
export interface SessionLogEntry {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly type: HoldfastEvent["type"];
  readonly [field: string]: string | number | boolean | undefined;
}

/** What has happened to a session, as far as the memory of whoever has it goes back. */
export interface SessionLog {
  /** When it begins: with its isolate or process, as a rule, or where it was last let go of for want of room. */
  readonly since: number;
  /** Entries since then that had to make room for later ones. */
  readonly dropped: number;
  /** The latest, in order. */
  readonly entries: readonly SessionLogEntry[];
}

/** Keeps what happens to the sessions of one isolate or process. */
export interface SessionLogs {
  /** A sink for the session's events: notes them, and passes them on to `emit`. */
  noting(id: string, emit: EventSink): EventSink;
  /** Undefined for a session that nothing is kept of. */
  read(id: string): SessionLog | undefined;
  /** What is noted of the session from now on begins anew. */
  forget(id: string): void;
}

/** A session as it is now. */
export interface SessionDetail extends SessionSummary {
  readonly status: "provisional" | "active" | "ended";
  readonly lastUsed: number;
  readonly streams: readonly StreamDetail[];
  readonly calls: readonly CallDetail[];
  /** When its alarm rings next. */
  readonly alarm: number | undefined;
  /** What it keeps: rows, and characters of messages, state and what else it holds. */
  readonly stored: { readonly rows: number; readonly bytes: number };
  /** Undefined where none is kept: without `admin`. */
  readonly log?: SessionLog | undefined;
}

/** Which sessions to list. */
export interface SessionQuery {
  /** Those of this principal alone. */
  readonly principal?: string | undefined;
  /** The last page's `nextCursor`. */
  readonly cursor?: string | undefined;
  /** Most sessions of a page, from 1 to 1000; 100 by default. A page may have fewer, and yet not be the last. */
  readonly limit?: number | undefined;
}

/** A page of sessions. */
export interface SessionPage {
  readonly sessions: readonly SessionSummary[];
  /** Where the next page begins; undefined after the last. */
  readonly nextCursor: string | undefined;
}

/** Seeing and ending sessions from the server's side. */
export interface Sessions {
  /**
   * The sessions that are kept, a page at a time; none is woken. In one process the newest come first, without those
   * whose time is up; on Workers the order means nothing, and those are among them.
   * @throws {RangeError} for a limit or a cursor that cannot be
   * @throws {NotListed} on Workers without the option `sessions`
   */
  list(query?: SessionQuery): Promise<SessionPage>;
  /** One session as it is now, its time up or not; undefined where nothing is kept under this id. It is not used by it. */
  get(id: string): Promise<SessionDetail | undefined>;
  /**
   * Ends a session as if its client had deleted it: its streams end, calls in flight get one error, its next request
   * gets 404. True where there was one.
   */
  end(id: string): Promise<boolean>;
  /**
   * Ends every session of a principal, and what they have under way outside of any: log out everywhere. Returns how
   * many sessions there were.
   */
  endAll(principal: string): Promise<number>;
}

/** There is no list of the sessions. */
export class NotListed extends Error {
  override readonly name = "NotListed";
}

/** Most sessions of a page, where none says. */
const PAGE = 100;
const LONGEST_PAGE = 1000;

/** @throws {RangeError} */
export function pageSize({ limit = PAGE }: SessionQuery): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LONGEST_PAGE) return limit;
  throw new RangeError(`limit must be a whole number from 1 to ${LONGEST_PAGE}, not ${limit}`);
}

/** The error for a cursor that no page gave out. */
export function badCursor(): RangeError {
  return new RangeError("cursor must be the nextCursor of a page of the same list");
}
