/**
 * What a cluster asks of the database that its processes share: leases, fences, and rows of sessions. Nothing of it
 * spans two round trips: each method is one statement, or may be run again as a whole, so that a process that stops in
 * the middle holds no lock that another needs.
 *
 * A node is one run of one process: started anew it is another node. Whoever is not alive never is again, and writes
 * nothing any more; that, and no clock, is what keeps two processes from writing one session.
 * @module
 */
import type { GuestCount } from "../guest.ts";
import type { UserReply, UserRequest } from "../user/store.ts";

/** One run of a process, as the database has it. */
export interface NodeRow {
  readonly id: string;
  /** Where other processes reach it. */
  readonly address: string;
  /** The version of the sessions' schema that it reads. */
  readonly schema: number;
}

/** What becomes of a flush, once that is known. */
export type Flushed =
  | { readonly kind: "stored"; readonly now: number }
  /** The node is not alive any more: nothing of this flush is stored, nor of any later one. */
  | { readonly kind: "fenced" }
  /** The database holds less than it has acknowledged: it was put back, or a standby that lagged took its place. */
  | { readonly kind: "lost" };

/** Which flush of whom. */
export interface FlushId {
  readonly node: string;
  /** Counted from 1. */
  readonly n: number;
  readonly leaseMs: number;
}

/** Who takes an id, and for how long where nothing comes to be stored under it. */
export interface Reservation {
  readonly node: string;
  readonly schema: number;
  readonly forMs: number;
}

/** A row of a session: its table, its primary key without the session's, and its columns, each as JSON. */
export interface StoredRow {
  readonly table: string;
  readonly pk: string;
  readonly data: string;
}

/** The same with its session. */
export interface RowOf extends StoredRow {
  readonly session: string;
}

/** What is known of a session without its rows. */
export interface SessionHead {
  readonly id: string;
  /** That of its row; `vacant` where there is none, and the id is only taken; `guest` of what is no session. */
  readonly status: string;
  readonly principal: string | null;
  /** When its alarm rings, in ms since 1970 by the database's clock; null where none is set. */
  readonly alarm: number | null;
  /** The version of the schema that its rows are of. */
  readonly schema: number;
}

/** What one flush writes, all of it or nothing. Of one row it says one thing only. */
export interface Batch {
  readonly rows: readonly RowOf[];
  readonly gone: readonly Omit<RowOf, "data">[];
  readonly heads: readonly SessionHead[];
  /** Sessions that the node lets go of. What the same flush says else of them is not done. */
  readonly released: readonly string[];
  /** The same of those that are vacant: nothing stays of them. */
  readonly vacated: readonly string[];
}

/** What a process can ring. */
export interface Due {
  /** Nothing that is stored by a later version. */
  readonly schema: number;
  /** Guests too. */
  readonly guests: boolean;
  readonly limit: number;
}

/** Whose a session is. */
export interface Found {
  readonly schema: number;
  /** Counts whoever has taken it: see {@link Engine.claim}. */
  readonly claims: number;
  /** Undefined where it is nobody's. */
  readonly owner: Owner | undefined;
}

/** The node that has a session. */
export interface Owner extends NodeRow {
  readonly isAlive: boolean;
  /** Its lease has run out, by the database's clock. That alone changes nothing. */
  readonly isExpired: boolean;
}

/** A session that this node has taken. */
export interface Claimed {
  readonly head: Omit<SessionHead, "id">;
  readonly rows: readonly StoredRow[];
}

/**
 * The database that processes share. Every method rejects where the database cannot be reached, or does not answer in
 * time; what was asked may have happened then.
 */
export interface Engine {
  /** Makes the tables where they are missing, and returns the cluster's secret, which the first one to ask has made. */
  open(): Promise<string>;
  /**
   * A new node, alive. Returns the database's clock, in ms since 1970.
   * @param leaseMs how long it counts as alive without a flush
   */
  join(node: NodeRow, leaseMs: number): Promise<number>;
  /**
   * The node's `n`th flush: stores the batch and renews the lease, if the node is alive and this is the next one.
   * May be asked again with the same `n` where its outcome is not known: it happens once.
   */
  flush(which: FlushId, batch: Batch): Promise<Flushed>;
  /** Ends a node: for good. With `onlyExpired` only where its lease has run out. True where it is not alive afterwards. */
  fence(node: string, onlyExpired: boolean): Promise<boolean>;
  /** Lets go of all that the node has, and ends it. */
  leave(node: string): Promise<void>;
  /** Undefined where there is no such session. */
  find(session: string): Promise<Found | undefined>;
  /**
   * Takes a session whose owner is not alive, or that has none, as it was found: undefined where anybody has taken it since.
   * @param claims as it was found
   */
  claim(session: string, node: string, claims: number): Promise<Claimed | undefined>;
  /** Takes an id of which nothing is stored. False where something is. */
  reserve(session: string, by: Reservation): Promise<boolean>;
  /**
   * Takes what has an alarm that is due, and an owner that is not alive; the ids. Passes over what others take just now.
   * Of the node's own what should have rung long ago: the node may not know that it has it.
   */
  due(node: string, what: Due): Promise<string[]>;
  /** The rows of a session that this node has; undefined where it does not. */
  load(session: string, node: string): Promise<Claimed | undefined>;
  /** All that are alive. */
  members(): Promise<Owner[]>;
  /** Sessions that want to hear of a change: those that hold the first of these entries and, where it is given, the second. */
  watchers(topic: string, value: string | undefined, sticky: string | undefined): Promise<string[]>;
  /** How many sessions there are, tombstones aside, counted no further than `limit`; of one principal or of all. */
  count(principal: string | undefined, limit: number): Promise<number>;
  /** How many guests there are. */
  countGuests(principal: string | null): Promise<GuestCount>;
  /**
   * Sessions by their ids, those whose time is up aside: the data of their rows, as `flush` was given it, and the
   * address of the process that has each. `after` is the last id of the page before.
   */
  list(page: {
    readonly principal: string | undefined;
    readonly after: string;
    readonly limit: number;
  }): Promise<{ readonly id: string; readonly data: string; readonly address: string | null }[]>;
  /** The sessions of a principal, tombstones too. */
  sessionsOf(principal: string): Promise<string[]>;
  /** Forgets nodes that ended long ago. */
  sweep(): Promise<void>;
  /** Reads or changes a user's state, in one statement; no session needs to be held for it. */
  user(owner: string, request: UserRequest, maxBytes: number): Promise<UserReply>;
  /** Lets go of the connections to the database; ends no node. */
  close(): Promise<void>;
}
