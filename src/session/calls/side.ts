/** The rest of the session, as its calls need it. @module */
import type { WaitUntil } from "../../background.ts";
import type { Notifier } from "../../changes.ts";
import type { Refusal, TransportKind } from "../../host.ts";
import type { Settings } from "../../options.ts";
import type { UserChannel } from "../../user/state.ts";
import type { CreateServer } from "../server/factory.ts";
import type { Confirm } from "../server/call.ts";
import type { SessionRow } from "../store/schema.ts";
import type { SessionStore } from "../store/store.ts";
import type { Streams } from "../streams/streams.ts";
import type { Delay } from "./delays.ts";

/** The session's row, as calls read and change it. */
export interface CalledSession {
  /** Undefined before the session is opened and after it has ended. */
  live(): SessionRow | undefined;
  /** Stores the session, with what `also` stores; where that fails there is none, here as there. */
  open(kind: TransportKind, fields: Partial<SessionRow>, also?: () => void): SessionRow;
  /** Any of its fields that changes says that the session is in use. */
  update(fields: Partial<SessionRow>): void;
  /** The answer for a session that is gone. */
  gone(principal: string | undefined, offerSuccessor: boolean): Promise<Refusal>;
}

/** What its host gives to the session. */
interface Given {
  readonly id: string;
  readonly store: SessionStore;
  readonly settings: Settings;
  /** The way to the state of the user of this name. */
  readonly userChannel: (name: string) => UserChannel;
  /** Waits `quickAnswerMs`. */
  readonly quick: Delay;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The session's side of its calls: one object for all of its parts. */
export interface SessionSide {
  readonly options: Given;
  readonly lifecycle: CalledSession;
  /** The factory's `context.waitUntil`. */
  readonly waitUntil: WaitUntil;
  /** Where the server publishes changes; undefined where there is no hub. */
  readonly notify: Notifier | undefined;
  /** See {@link Confirm}; undefined where there is no hub. */
  readonly confirm: Confirm | undefined;
  /** The topic of the session's requests. */
  topic(): string | undefined;
  /** Whether the session is found by its client's key. */
  isKeyed(): boolean;
  streamsOf(row: SessionRow): Streams;
  /** Makes sure that the alarm rings by then. */
  by(at: number): void;
}

/** The same, with the factory of its servers. */
export interface ServingSide<Env> extends SessionSide {
  readonly options: Given & { readonly createServer: CreateServer<Env>; readonly env: Env };
}
