/**
 * Guests: what lives where sessions live without being one, such as a task. On Workers a guest has an object of the
 * session class to itself; in one process it has rows in the database file. Either way it has an alarm, and lasts.
 * These are the types in which whoever brings guests speaks with the hosts; nobody else knows what they are for.
 * @module
 */
import type { WaitUntil } from "./background.ts";
import type { Caller } from "./caller.ts";
import type { ChangeBus } from "./changes.ts";
import type { JsonObject } from "./jsonrpc/messages.ts";
import type { Settings } from "./options.ts";
import type { Alarm } from "./session/deadlines.ts";
import type { SqlStore } from "./session/store/schema.ts";
import type { UserChannel } from "./user/state.ts";

/** How many guests are kept, and how many of them are one principal's. */
export interface GuestCount {
  readonly all: number;
  readonly own: number;
}

/** What kind of guests there are. A deployment has one kind at most. */
export interface GuestKind {
  /**
   * Statements that make the tables of guests where they are missing. The first column of each primary key is the
   * guest's id, and in one table it is all of the key.
   */
  readonly schema: readonly string[];
  /** What is answered in place of a guest that is not stored. */
  readonly absent: JsonObject;
  /** True where a guest of this id is stored. Asking creates nothing. */
  isAt(sql: SqlStore, id: string): boolean;
  /** Whose the guest that is stored there is; null where it is nobody's. */
  principalAt(sql: SqlStore, id: string): string | null;
  /** Takes up what is stored for this id, or begins with nothing. Creates nothing. */
  open(place: GuestPlace): Guest;
}

/** What a host provides to a guest. */
export interface GuestPlace {
  readonly id: string;
  /** On Workers the object's own; in one process it holds all guests, and all sessions. */
  readonly sql: SqlStore;
  readonly alarm: Alarm;
  readonly env: unknown;
  readonly settings: Settings;
  /** The hub's bus of a topic; undefined where there is no hub. */
  readonly bus: (topic: string) => ChangeBus | undefined;
  readonly userChannel: (name: string) => UserChannel;
  /** The factory's `context.waitUntil`. */
  readonly waitUntil: WaitUntil;
  /** How many there are, where the guest's own storage does not hold them all. */
  readonly count?: ((principal: string | null) => Promise<GuestCount>) | undefined;
  /** Removes all that the host keeps for the guest, which has removed its own rows. */
  readonly erase: () => Promise<void>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One guest, in an isolate's or a process's memory. */
export interface Guest {
  /**
   * Answers whoever addressed it; both sides of the exchange are the kind's own affair, and JSON.
   * @param caller whose request it is about; undefined where it is nobody's
   */
  ask(request: JsonObject, caller: Caller | undefined): Promise<JsonObject>;
  /** The alarm rang: does what is due. Never rejects. */
  alarm(): Promise<void>;
  /** True while nothing of it is under way: it may leave memory. */
  isIdle(): boolean;
  /** The process ends: lets go of what is under way, and writes nothing more. */
  shutdown(): void;
}

/** A guest as the edge addresses it. */
export interface GuestRef {
  readonly id: string;
  /** Rejects where the guest's isolate died before it answered, or cannot be reached. */
  ask(request: JsonObject, caller?: Caller): Promise<JsonObject>;
}

/** The guests of a host. */
export interface Guests {
  /** A place for one that does not exist yet, under a fresh unguessable id. Wakes nothing. */
  mint(): GuestRef;
  /** The guest of this id, or undefined for an id that this host cannot have issued. Wakes nothing. */
  find(id: string): GuestRef | undefined;
}
