/**
 * The sessions of a tenure in memory: loaded where something is to be done, let go of where nothing is under way,
 * erased where they are no more.
 * @module
 */
import type { Background } from "../background.ts";
import { messageOf, shortId } from "../log-text.ts";
import type { Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import { type Alarms, createAlarms } from "../local/alarms.ts";
import type { Room } from "../local/room.ts";
import { createResidents, type Resident, type Residents } from "../local/residents.ts";
import { createSlots } from "../local/slots.ts";
import type { Settings } from "../options.ts";
import type { Delay } from "../session/calls/delays.ts";
import type { Session } from "../session/contract.ts";
import type { SessionChanges } from "../session/interest.ts";
import type { Successors } from "../session/ports.ts";
import type { CreateServer } from "../session/server/factory.ts";
import type { SessionLogs } from "../sessions.ts";
import type { UserChannel } from "../user/state.ts";
import type { Census } from "./census.ts";
import { VACANT, type WorkingCopy } from "./copy.ts";
import type { Claimed } from "./engine.ts";
import type { Gate } from "./gate.ts";
import { NotHere, type Owned, type OwnedSessions } from "./owned.ts";
import { createOwnedSession, type Shared, writingTo } from "./owned-session.ts";

/** What all sessions of a process are made with, whatever tenure it is in. */
export interface ServedWith<Env> {
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  readonly evictAfterMs: number;
  readonly room: Room;
  readonly quick: Delay;
  readonly census: Census;
  readonly changes: SessionChanges;
  readonly userChannel: (name: string) => UserChannel;
  /** What goes on after its answer, in all of the process. */
  readonly background: Background;
  readonly mint: () => string;
  /** True where the session can be used, whoever has it. */
  readonly isLive: (id: string) => Promise<boolean>;
  /** See `SessionHost.keepLogs`. */
  readonly logs: () => SessionLogs | undefined;
}

/** The tenure around the sessions. */
export interface LoadedOptions<Env> extends ServedWith<Env> {
  readonly copy: WorkingCopy;
  readonly mine: OwnedSessions;
  readonly gate: Gate;
  readonly now: () => number;
  readonly isOver: () => boolean;
  readonly isClosing: () => boolean;
  /** True for the id of a guest that is in memory. */
  readonly isGuestPresent: (id: string) => boolean;
}

/** The sessions that a tenure has, as something is done with them. */
export interface Loaded {
  readonly residents: Residents;
  readonly alarms: Alarms;
  /** False for an id under which nothing has come to be. */
  isStored(owned: Owned): boolean;
  /** See `OwnedSessions.take`. */
  take(id: string, claimed: Claimed | "reserved" | "fresh"): Owned;
  /** Lets go of the session, or the guest, unless it is used or in memory. */
  release(owned: Owned): void;
  /** Removes all that the session has stored. */
  erase(owned: Owned): void;
  /** Runs `body` with the session in memory, whether there is room or not; see `local/loaded.ts`. */
  visit<T>(owned: Owned, body: (resident: Resident) => Promise<T>): Promise<T>;
  /** Runs `body` with the session in memory, where there is room; rejects where the tenure ends before it is done. */
  use<T>(owned: Owned, body: (resident: Resident) => Promise<T>): Promise<T | Refusal>;
  /** Whoever waits for {@link use} waits no more. */
  breakOff(error: Error): void;
  /** Runs what nobody waits for. */
  attempt<T>(id: string, body: () => T): T | undefined;
}

/** None is in memory yet. */
export function createLoaded<Env>(options: LoadedOptions<Env>): Loaded {
  const { copy, mine, gate, census, now, isOver, isClosing, isGuestPresent } = options;
  const { emit } = options.settings;
  /** Ends the wait of each request that is being answered. */
  const waiting = createSlots<(error: Error) => void>();

  const attempt = <T>(id: string, body: () => T): T | undefined => {
    try {
      return body();
    } catch (error) {
      emit("send.error", { session: shortId(id), message: messageOf(error) });
      return undefined;
    }
  };

  const isStored = (owned: Owned): boolean => copy.head(owned).status !== VACANT;

  const take = (id: string, claimed: Claimed | "reserved" | "fresh"): Owned => {
    // What it has noted of it before lacks what happened where the session was meanwhile.
    options.logs()?.forget(id);
    const owned = mine.take(id, claimed);
    if (typeof claimed === "object") alarms.look();
    return owned;
  };

  /** From here on the session is as good as any other's: only a request that is on its way already still finds it. */
  const release = (owned: Owned): void => {
    if (isOver() || owned.leaving !== undefined || mine.of(owned.id) !== owned) return;
    if (owned.users > 0 || residents.keyOf(owned.id) !== undefined || isGuestPresent(owned.id)) return;
    if (!owned.isKnown && !gate.isDirty(owned.key)) return mine.forget(owned);
    mine.letGo(owned);
    // By the next flush but one, if the next holds something of the session.
    void gate
      .flush()
      .then(() => (mine.isStaying(owned) ? gate.flush() : undefined))
      .catch(() => {});
  };

  const erase = (owned: Owned): void => {
    const { id, key } = owned;
    const sql = writingTo(copy.sql, gate, key);
    sql.transaction(() => {
      for (const table of ["event", "stream", "entry", "alarm"]) {
        sql.exec(`DELETE FROM ${table} WHERE key = ?`, key);
      }
      const gone = sql.exec<{ status: string }>("DELETE FROM session WHERE key = ? RETURNING status", key);
      for (const { status } of gone) if (status !== "ended") census.left();
    });
    residents.forget(id);
    // Whoever is being answered may open it anew, under its key.
    queueMicrotask(() => release(owned));
  };

  const successors: Successors = {
    async create(seed) {
      const place = await census.enter(seed.principal);
      if ("status" in place) throw new Error(place.error.message);
      const owned = take(options.mint(), "fresh");
      try {
        await visit(owned, ({ session }) => session.adopt(seed));
        await gate.stored(owned.key);
      } finally {
        place.entered(!isOver() && isStored(owned));
      }
      return owned.id;
    },
    isLive: options.isLive,
  };

  const create = (_id: string, key: number, touch: () => void): Session =>
    createOwnedSession<Env>(shared, mine.withKey(key) as Owned, touch);

  const residents = createResidents({
    now,
    evictAfterMs: options.evictAfterMs,
    room: options.room,
    create,
    onError: (id, error) => emit("send.error", { session: shortId(id), message: messageOf(error) }),
  });

  const visit = async <T>(owned: Owned, body: (resident: Resident) => Promise<T>): Promise<T> => {
    if (isOver() || owned.leaving !== undefined) throw new NotHere();
    const wasResident = residents.keyOf(owned.id) !== undefined;
    const resident = residents.load(owned.id, owned.key);
    const leave = residents.hold(resident);
    try {
      return await body(resident);
    } finally {
      leave();
      if (!wasResident) residents.evict(owned.id);
    }
  };

  const alarms = createAlarms(copy.sql, now, async (id, key) => {
    const owned = mine.withKey(key);
    if (owned !== undefined && owned.id === id && !isClosing())
      await visit(owned, ({ session }) => session.alarm());
  });

  const shared: Shared<Env> = {
    ...options,
    sql: copy.sql,
    alarms,
    attempt,
    failedToStore: (error) => emit("request.error", { method: "store", message: messageOf(error) }),
    keep: options.background.waitUntil,
    successors,
    erase,
    onShutdown: (owned) => queueMicrotask(() => release(owned)),
    onTombstone: census.left,
    onRevive: census.revive,
  };

  return {
    residents,
    alarms,
    isStored,
    take,
    release,
    erase,
    visit,
    use: <T>(owned: Owned, body: (resident: Resident) => Promise<T>): Promise<T | Refusal> =>
      new Promise((resolve, reject) => {
        if (isOver() || isClosing() || owned.leaving !== undefined) throw new NotHere();
        if (!residents.admit(owned.id)) {
          release(owned);
          return resolve({ kind: "refused", failure: failures.noMemory });
        }
        const resident = residents.load(owned.id, owned.key);
        const leave = residents.hold(resident);
        const slot = waiting.add(reject);
        void body(resident)
          .finally(() => {
            waiting.take(slot);
            leave();
          })
          .then(resolve, reject);
      }),
    breakOff(error) {
      for (const reject of waiting.items()) reject(error);
    },
    attempt,
  };
}
