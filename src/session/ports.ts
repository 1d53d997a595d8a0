/**
 * What a host provides to a session, and what it calls back with. A Durable Object and a local
 * process fulfil it alike; nothing in the session knows which it is.
 * @module
 */
import type { Change } from "../changes.ts";
import type { DisconnectReason } from "../events.ts";
import type { Failure } from "../jsonrpc/failures.ts";
import type { Settings } from "../options.ts";
import type { UserChannel } from "../user/state.ts";
import type { Delay } from "./delays.ts";
import type { Interest, Interested } from "./interest.ts";
import type { CreateServer } from "./server.ts";
import type { SessionStore } from "./store.ts";

export interface SessionOptions<Env> {
  readonly id: string;
  readonly store: SessionStore;
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  readonly alarm: Alarm;
  readonly successors: Successors;
  /** The session's side of the hub; undefined where there is none. */
  readonly interest?: ((session: Interested) => Interest) | undefined;
  /** The way to the state of the user of this name. */
  readonly userChannel: (name: string) => UserChannel;
  /** How long edges take to dial again once a link has broken, in milliseconds; 0 where they die with the session. */
  readonly redialMs: number;
  /** Waits `quickAnswerMs`; one for all sessions where the host can share a timer. */
  readonly quick: Delay;
  /** Removes all that the session has stored. */
  readonly erase: () => Promise<void>;
  /** The session has ended, and its tombstone is stored. */
  readonly onTombstone?: ((principal: string | null) => void) | undefined;
  /** A tombstone is to become a session again; returns what to answer where there is no place for it. */
  readonly onRevive?: ((principal: string | null) => Failure | undefined) | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The host's alarm: one pending time, kept across restarts. */
export interface Alarm {
  get(): Promise<number | undefined> | number | undefined;
  set(at: number): Promise<void> | void;
  clear(): Promise<void> | void;
}

/** The hub, as a session sees it. */
export interface SessionChanges {
  /** Tells everyone who listens. Never throws, and waits for nobody. */
  publish(topic: string, change: Change): void;
  /**
   * From now on the session's `notify` is called for changes of the names `add` (`nameOf`), and no longer for those
   * of `drop`. Rejects where the hub cannot be reached, or has no room for all of `add`: it then has none of them.
   */
  watch(topic: string, add: readonly string[], drop: readonly string[]): Promise<void>;
  /** The session wants to hear nothing more. */
  forget(topic: string): void;
}

/** What a successor takes over from the session that ended. */
export interface Seed {
  readonly principal: string | null;
  readonly version: string;
  readonly initialize: string | null;
}

/** How a session that ended finds the one to go on with. */
export interface Successors {
  /** Makes a provisional session from the seed, under a fresh id. */
  create(seed: Seed): Promise<string>;
  isLive(id: string): Promise<boolean>;
}

/** The session's end of a link. */
export interface Outlet {
  readonly connectionId: string;
  readonly openedAt: number;
  /** Sends whole frames; `place` is where the connection stands after them. */
  send(frames: string, place: number): void;
  /** Ends the link on purpose. */
  end(reason: DisconnectReason): void;
  /** When the edge at the other end was last known to be alive; undefined where its end is seen at once. */
  lastSeen?(): number;
  /** True where only a write tells that the edge is gone, and it cannot be asked. */
  readonly isBlind?: boolean;
}

/** Opens the session's end of the link that the edge will read, for the stream of this number. */
export type OpenOutlet = (stream: number) => Outlet;
