/**
 * The sessions of one process in memory: loaded where something is to be done, erased where they are no more.
 * @module
 */
import type { Background } from "../background.ts";
import { messageOf, shortId } from "../log-text.ts";
import type { Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { TellLimit } from "../limits.ts";
import type { Settings } from "../options.ts";
import { createDelay } from "../session/calls/delays.ts";
import type { Session } from "../session/contract.ts";
import type { SessionOptions, Successors } from "../session/ports.ts";
import type { CreateServer } from "../session/server/factory.ts";
import { createSession } from "../session/session.ts";
import { createSessionStore } from "../session/store/store.ts";
import type { SessionLogs } from "../sessions.ts";
import { type Alarms, AttemptedAlarm, createAlarms } from "./alarms.ts";
import type { Census } from "./census.ts";
import type { Room } from "./room.ts";
import { createOwnStore } from "./own-store.ts";
import type { Places } from "./places.ts";
import { createResidents, type Resident, type Residents } from "./residents.ts";
import { createSlots } from "./slots.ts";
import type { Turns } from "./turns.ts";

/** The host around the sessions. */
export interface LoadedOptions<Env> extends Pick<SessionOptions<Env>, "interest" | "userChannel" | "now"> {
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  readonly sql: Turns;
  readonly room: Room;
  readonly evictAfterMs: number;
  readonly census: Census;
  readonly places: Places;
  readonly background: Background;
  readonly tellLimit: TellLimit;
  /** Hears of what could not be read or written. */
  readonly failedToStore: (error: unknown) => void;
  readonly storedKeyOf: (id: string) => number | undefined;
  /** See `SessionHost.keepLogs`. */
  readonly logs: () => SessionLogs | undefined;
  readonly isClosing: () => boolean;
}

/** The sessions that a host has, as something is done with them. */
export interface Loaded {
  readonly residents: Residents;
  readonly alarms: Alarms;
  /** The key of the session of this id; undefined where there is none. */
  keyOf(id: string): number | undefined;
  /** A key that no session has. */
  newKey(): number;
  /** Removes all that the session has stored. */
  erase(id: string, key: number): void;
  /** Runs `body` with the session in memory, for what has to be done whether there is room or not: one at a time. */
  visit<T>(id: string, key: number, body: (resident: Resident) => Promise<T>): Promise<T>;
  /** Runs `body` with the session in memory, where there is room for it; rejects where {@link breakOff} comes first. */
  use<T>(id: string, key: number, body: (resident: Resident) => Promise<T>): Promise<T | Refusal>;
  /** Whoever waits for {@link use} waits no more. */
  breakOff(error: Error): void;
  /** For what nobody waits for, so that its failure (a full disk) must end neither a connection nor the process. */
  attempt<T>(id: string, body: () => T): T | undefined;
}

/** None is in memory yet. */
export function createLoaded<Env>(options: LoadedOptions<Env>): Loaded {
  const { sql, settings, census, places, background, now, failedToStore, storedKeyOf, isClosing } = options;
  const quick = createDelay(settings.quickAnswerMs);
  /** Ends the wait of each request that is being answered. */
  const waiting = createSlots<(error: Error) => void>();
  /** Keys of sessions that are gone are used again by the next process only. */
  let lastKey = sql.exec<{ key: number | null }>("SELECT max(key) AS key FROM session")[0]?.key ?? 0;

  const failed = (id: string, error: unknown): void =>
    settings.emit("send.error", { session: shortId(id), message: messageOf(error) });
  const attempt = <T>(id: string, body: () => T): T | undefined => {
    try {
      return body();
    } catch (error) {
      failed(id, error);
      return undefined;
    }
  };

  /** A session in memory is not looked up for each of its calls. */
  const keyOf = (id: string): number | undefined => residents.keyOf(id) ?? storedKeyOf(id);

  const erase = (id: string, key: number): void => {
    const gone = sql.transaction(() => {
      for (const table of ["event", "stream", "entry", "alarm"]) {
        sql.exec(`DELETE FROM ${table} WHERE key = ?`, key);
      }
      return sql.exec<{ principal: string | null; status: string }>(
        "DELETE FROM session WHERE key = ? RETURNING principal, status",
        key,
      );
    });
    for (const { principal, status } of gone) {
      if (status !== "ended") census.leave(principal);
      places.givenBack(id);
    }
    residents.forget(id);
  };

  const successors: Successors = {
    async create(seed) {
      const id = randomId();
      const key = ++lastKey;
      const adopted = await places.opening(id, seed.principal, () =>
        visit(id, key, ({ session }) => session.adopt(seed)),
      );
      if (adopted !== undefined) throw new Error(adopted.failure.error.message);
      return id;
    },
    async isLive(id) {
      const key = keyOf(id);
      return key !== undefined && visit(id, key, async ({ session }) => session.isLive());
    },
  };

  const create = (id: string, key: number, touch: () => void): Session => {
    const own = createOwnStore(sql, touch, failedToStore);
    return createSession<Env>({
      id,
      store: createSessionStore(own, key),
      settings,
      logs: options.logs(),
      createServer: options.createServer,
      env: options.env,
      alarm: new AttemptedAlarm(alarms.of(key), id, attempt),
      successors,
      interest: options.interest,
      userChannel: options.userChannel,
      keep: background.waitUntil,
      redialMs: 0,
      quick,
      async erase() {
        own.end();
        erase(id, key);
      },
      onTombstone: census.leave,
      onRevive: census.enter,
      now,
    });
  };

  const residents = createResidents({
    now,
    evictAfterMs: options.evictAfterMs,
    room: options.room,
    create,
    onError: failed,
  });

  const visit = async <T>(id: string, key: number, body: (resident: Resident) => Promise<T>): Promise<T> => {
    const wasResident = residents.keyOf(id) !== undefined;
    const resident = residents.load(id, key);
    const release = residents.hold(resident);
    try {
      return await body(resident);
    } finally {
      release();
      if (!wasResident) residents.evict(id);
    }
  };

  const alarms = createAlarms(sql, now, (id, key) => visit(id, key, ({ session }) => session.alarm()));

  return {
    residents,
    alarms,
    keyOf,
    newKey: () => ++lastKey,
    erase,
    visit,
    use: <T>(id: string, key: number, body: (resident: Resident) => Promise<T>): Promise<T | Refusal> =>
      new Promise((resolve, reject) => {
        if (isClosing()) throw new Error("The host is closed");
        if (!residents.admit(id)) {
          options.tellLimit("maxResidents", residents.size);
          return resolve({ kind: "refused", failure: failures.noMemory });
        }
        const resident = residents.load(id, key);
        const release = residents.hold(resident);
        const slot = waiting.add(reject);
        const settled = (): void => {
          waiting.take(slot);
          release();
        };
        // One promise more, and not two as with `finally`.
        body(resident).then(
          (value) => {
            settled();
            resolve(value);
          },
          (error: unknown) => {
            settled();
            reject(error as Error);
          },
        );
      }),
    breakOff(error) {
      for (const reject of waiting.items()) reject(error);
    },
    attempt,
  };
}

/** 32 random bytes: nobody guesses one. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
