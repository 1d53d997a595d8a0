/**
 * Guests in one process: their rows and their alarms are in the host's file, and in memory are those that are being
 * asked, or have something under way.
 * @module
 */
import type { WaitUntil } from "../background.ts";
import type { Guest, GuestKind, GuestPlace, Guests } from "../guest.ts";
import type { Settings } from "../options.ts";
import type { SqlStore } from "../session/store/schema.ts";
import { createRinger, RETRY_MS } from "./ringer.ts";

/** The guests of a local host, or those of one process among several. */
export interface LocalGuests extends Guests {
  /** Runs `body` with the guest in memory, where it stays for as long as something of it is under way. */
  visit<T>(id: string, body: (guest: Guest) => Promise<T>): Promise<T>;
  /** True where it is in memory. */
  isPresent(id: string): boolean;
  /** Rows have come by another way: looks when the first of them is due. */
  look(): void;
  /** Does what is due by now, where the clock was moved. */
  catchUp(): Promise<void>;
  /** Lets go of all that is under way. */
  close(): void;
}

/** What their places are made of. */
export interface LocalGuestsOptions {
  /** Undefined where there are no guests: then every id is unknown, and nothing is created. */
  readonly kind: GuestKind | undefined;
  readonly sql: SqlStore;
  readonly env: unknown;
  readonly settings: Settings;
  readonly waitUntil: WaitUntil;
  readonly newId: () => string;
  /** What each has of its own. Throws for one that may not be in memory here. */
  readonly placeOf: (id: string) => Pick<GuestPlace, "sql" | "bus" | "userChannel" | "count">;
  /** One has left memory. */
  readonly onLeft?: (id: string) => void;
  readonly now: () => number;
}

const ID = /^[0-9a-f]{64}$/;

/** Where the alarms of guests are. */
export const GUEST_ALARMS: readonly string[] = [
  "CREATE TABLE IF NOT EXISTS guest_alarm (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS guest_alarm_at ON guest_alarm (at)",
];

/** One in memory, with how many are about it. */
interface Present {
  readonly guest: Guest;
  visits: number;
}

/** The guests of this file; their alarms ring from now on. */
export function createGuests(options: LocalGuestsOptions): LocalGuests {
  const { kind, sql, now, newId } = options;
  const none: LocalGuests = {
    mint() {
      throw new Error("this host has no guests");
    },
    find: () => undefined,
    visit: () => Promise.reject(new Error("this host has no guests")),
    isPresent: () => false,
    look() {},
    async catchUp() {},
    close() {},
  };
  if (kind === undefined) return none;
  for (const statement of GUEST_ALARMS) sql.exec(statement);
  const present = new Map<string, Present>();
  let isClosed = false;

  const open = (id: string): Guest => {
    const place = options.placeOf(id);
    return kind.open({
      ...options,
      ...place,
      id,
      alarm: {
        get: () => sql.exec<{ at: number }>("SELECT at FROM guest_alarm WHERE id = ?", id)[0]?.at,
        set(at) {
          if (isClosed) return;
          place.sql.exec("INSERT OR REPLACE INTO guest_alarm (id, at) VALUES (?, ?)", id, at);
          ringer.arm(at);
        },
        clear() {
          if (!isClosed) place.sql.exec("DELETE FROM guest_alarm WHERE id = ?", id);
        },
      },
      async erase() {
        place.sql.exec("DELETE FROM guest_alarm WHERE id = ?", id);
      },
    });
  };

  const visit = async <T>(id: string, body: (guest: Guest) => Promise<T>): Promise<T> => {
    if (isClosed) throw new Error("The host is closed");
    let one = present.get(id);
    if (one === undefined) present.set(id, (one = { guest: open(id), visits: 0 }));
    one.visits += 1;
    try {
      return await body(one.guest);
    } finally {
      one.visits -= 1;
      if (one.visits === 0 && one.guest.isIdle() && !isClosed) {
        present.delete(id);
        options.onLeft?.(id);
      }
    }
  };

  const ringer = createRinger<{ id: string; at: number }>({
    now,
    earliest: () =>
      sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM guest_alarm")[0]?.at ?? Infinity,
    due: (most) => sql.exec("SELECT id, at FROM guest_alarm WHERE at <= ? ORDER BY at LIMIT ?", now(), most),
    async ring({ id, at }) {
      await visit(id, (guest) => guest.alarm()).catch(() => {});
      if (isClosed) return;
      if (!kind.isAt(sql, id)) sql.exec("DELETE FROM guest_alarm WHERE id = ?", id);
      else sql.exec("UPDATE guest_alarm SET at = ? WHERE id = ? AND at = ?", now() + RETRY_MS, id, at);
    },
  });

  const find: Guests["find"] = (id) =>
    ID.test(id)
      ? { id, ask: (request, caller) => visit(id, (guest) => guest.ask(request, caller)) }
      : undefined;

  return {
    mint: () => find(newId()) ?? none.mint(),
    find,
    visit,
    isPresent: (id) => present.has(id),
    look: ringer.look,
    catchUp: ringer.catchUp,
    close() {
      ringer.stop();
      isClosed = true;
      for (const { guest } of present.values()) guest.shutdown();
      present.clear();
    },
  };
}
