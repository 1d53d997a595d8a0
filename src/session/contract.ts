/**
 * What a host calls: the session as it is seen from outside. One that runs (`session.ts`) and one that a later
 * version stored (`later.ts`) fulfil it alike.
 * @module
 */
import type { Change } from "../changes.ts";
import type { DisconnectReason } from "../events.ts";
import type { Attach, Call, Caller, Refusal } from "../host.ts";
import type { InMemory } from "./inspect.ts";
import type { Seed } from "./ports.ts";
import type { Reply } from "./server/reply.ts";
import type { OpenOutlet, Outlet } from "./streams/outlet.ts";

/** Where a connection stood that outlived its isolate. */
export interface Restored {
  /** The last event that was sent on it. */
  readonly place: number;
  /** The last that its client is known to have been handed; none where it is not given. */
  readonly handed?: number;
}

/** What is known of a connection that is over. */
export interface Left {
  /** The last event that its client was handed. */
  readonly seq?: number | undefined;
  readonly reason?: DisconnectReason | undefined;
}

/** One session in one isolate. */
export interface Session {
  /** True while the session can be used. */
  isLive(): boolean;
  /** Begins the session as the successor of one that ended. */
  adopt(seed: Seed): Promise<void>;
  post(call: Call, open: OpenOutlet): Promise<Reply | Refusal>;
  attach(request: Attach, open: OpenOutlet): Promise<{ kind: "streaming" } | Refusal>;
  /** Ends the session on its client's word. */
  end(caller: Caller): Promise<{ kind: "ended" } | Refusal>;
  /** Ends the session on its server's word. True where there was one. */
  terminate(): Promise<boolean>;
  /**
   * The hub tells of changes; what the client subscribed to goes out on the standalone stream, without
   * waking the server. Returns the names that the hub can forget, or undefined for a session that is gone.
   */
  notify(changes: readonly Change[]): Promise<string[] | undefined>;
  /** The alarm rang: does what is due, and sets it again where something remains. Never throws. */
  alarm(): Promise<void>;
  /** The edge has handed everything up to `seq` to the client. */
  ack(stream: number, connectionId: string, seq: number): void;
  /** The client of a POST's connection that is over came as far as `seq`, whatever was acknowledged. */
  reached(stream: number, connectionId: string, seq: number): void;
  /** A connection is over. */
  leave(stream: number, connectionId: string, left?: Left): void;
  /** Takes up a connection that outlived the isolate. */
  restore(stream: number, outlet: Outlet, from: Restored): void;
  /** What is in memory of it: see `inspect.ts`. */
  inMemory(): InMemory;
  /** True while nothing is under way: no connection, no call, no server being built. */
  isIdle(): boolean;
  /** Lets go of the session as the process ends or needs the memory: connections and server end, the session stays. */
  shutdown(): void;
}
