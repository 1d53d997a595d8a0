/**
 * Guests in one process: their rows and their alarms are in the host's file, and in memory are those that are being
 * asked, or have something under way.
 * @module
 */
import type { WaitUntil } from "../background.ts";
import type { ChangeBus } from "../changes.ts";
import type { Guest, GuestKind, Guests } from "../guest.ts";
import type { Settings } from "../options.ts";
import type { SqlStore } from "../session/store/schema.ts";
import type { UserChannel } from "../user/state.ts";
import { createRinger, RETRY_MS } from "./ringer.ts";

/** The guests of a local host. */
export interface LocalGuests extends Guests {
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
  readonly bus: (topic: string) => ChangeBus;
  readonly userChannel: (name: string) => UserChannel;
  readonly waitUntil: WaitUntil;
  readonly newId: () => string;
  readonly now: () => number;
}

const ID = /^[0-9a-f]{64}$/;

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
    async catchUp() {},
    close() {},
  };
  if (kind === undefined) return none;
  sql.exec("CREATE TABLE IF NOT EXISTS guest_alarm (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID");
  sql.exec("CREATE INDEX IF NOT EXISTS guest_alarm_at ON guest_alarm (at)");
  const present = new Map<string, Present>();
  let isClosed = false;

  const open = (id: string): Guest =>
    kind.open({
      ...options,
      id,
      alarm: {
        get: () => sql.exec<{ at: number }>("SELECT at FROM guest_alarm WHERE id = ?", id)[0]?.at,
        set(at) {
          if (isClosed) return;
          sql.exec("INSERT OR REPLACE INTO guest_alarm (id, at) VALUES (?, ?)", id, at);
          ringer.arm(at);
        },
        clear() {
          if (!isClosed) sql.exec("DELETE FROM guest_alarm WHERE id = ?", id);
        },
      },
      async erase() {
        sql.exec("DELETE FROM guest_alarm WHERE id = ?", id);
      },
    });

  /** Runs `body` with the guest in memory, where it stays for as long as something of it is under way. */
  const visit = async <T>(id: string, body: (guest: Guest) => Promise<T>): Promise<T> => {
    if (isClosed) throw new Error("The host is closed");
    let one = present.get(id);
    if (one === undefined) present.set(id, (one = { guest: open(id), visits: 0 }));
    one.visits += 1;
    try {
      return await body(one.guest);
    } finally {
      one.visits -= 1;
      if (one.visits === 0 && one.guest.isIdle()) present.delete(id);
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
    catchUp: ringer.catchUp,
    close() {
      ringer.stop();
      isClosed = true;
      for (const { guest } of present.values()) guest.shutdown();
      present.clear();
    },
  };
}
