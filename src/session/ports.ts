/**
 * What a host provides to a session. A Durable Object and a local process fulfil it alike; nothing
 * in the session knows which it is.
 * @module
 */
import type { Failure } from "../jsonrpc/failures.ts";
import type { Settings } from "../options.ts";
import type { SessionLogs } from "../sessions.ts";
import type { UserChannel } from "../user/state.ts";
import type { Delay } from "./calls/delays.ts";
import type { Alarm } from "./deadlines.ts";
import type { Interest, Interested } from "./interest.ts";
import type { CreateServer } from "./server/factory.ts";
import type { SessionStore } from "./store/store.ts";

/** All that a host gives to a session. */
export interface SessionOptions<Env> {
  readonly id: string;
  readonly store: SessionStore;
  readonly settings: Settings;
  /** Where what happens to the session is noted; undefined where it is not. */
  readonly logs?: SessionLogs | undefined;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  readonly alarm: Alarm;
  readonly successors: Successors;
  /** The session's side of the hub; undefined where there is none. */
  readonly interest?: ((session: Interested) => Interest) | undefined;
  /** The way to the state of the user of this name. */
  readonly userChannel: (name: string) => UserChannel;
  /** Keeps the isolate for work that goes on after its answer, in the platform's own way. */
  readonly keep?: ((work: Promise<void>) => void) | undefined;
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
  /** The session has been let go of: see `Session.shutdown`. */
  readonly onShutdown?: (() => void) | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
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
