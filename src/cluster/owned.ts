/** Which sessions this process has, what of them a flush stores, and how one is let go of. @module */
import { SCHEMA_VERSION } from "../session/store/schema.ts";
import { VACANT, type WorkingCopy } from "./copy.ts";
import type { Batch, Claimed, RowOf } from "./engine.ts";

/** A session that this process has. */
export interface Owned {
  readonly id: string;
  /** Its key in the working copy. */
  readonly key: number;
  /** Requests that may open it, or have yet to be let in. */
  users: number;
  /** Set while it is being let go of: resolves once others can take it. */
  leaving: Promise<void> | undefined;
}

/** The sessions of one process. */
export interface OwnedSessions {
  readonly size: number;
  /**
   * How many have been let go of. Who found that this process has a session, and comes to load it, must see that none
   * has been since: it may have been that one, and be another's by now.
   */
  readonly departures: number;
  of(id: string): Owned | undefined;
  withKey(key: number): Owned | undefined;
  /** The process has taken this session, or this id where nothing is stored under it yet. */
  take(id: string, claimed: Claimed | undefined): Owned;
  /** It is let go of with the next flush that holds nothing of it. */
  letGo(owned: Owned): void;
  /** True where a flush has yet to let go of it. */
  isStaying(owned: Owned): boolean;
  /** What has changed since the last time. */
  collect(): Batch;
  /** A batch is stored. */
  stored(batch: Batch): void;
  /** Nobody need wait for any of them to be let go of. */
  abandon(): void;
}

/** @param now milliseconds since 1970 */
export function createOwnedSessions(copy: WorkingCopy, now: () => number): OwnedSessions {
  const byId = new Map<string, Owned>();
  const byKey = new Map<number, Owned>();
  const letting = new Map<Owned, () => void>();
  let lastKey = 0;
  let departures = 0;

  return {
    get size() {
      return byId.size;
    },
    get departures() {
      return departures;
    },
    of: (id) => byId.get(id),
    withKey: (key) => byKey.get(key),
    take(id, claimed) {
      const held = byId.get(id);
      if (held !== undefined) return held;
      const owned: Owned = { id, key: ++lastKey, users: 0, leaving: undefined };
      byId.set(id, owned);
      byKey.set(owned.key, owned);
      if (claimed !== undefined) {
        const { head, rows } = claimed;
        // One whose owner died between its first row and its alarm must not stay for ever.
        copy.load(owned.key, rows, rows.length === 0 ? null : (head.alarm ?? now()));
      }
      return owned;
    },
    letGo(owned) {
      owned.leaving = new Promise((resolve) => letting.set(owned, resolve));
    },
    isStaying: (owned) => letting.has(owned),
    collect() {
      const changed = copy.take();
      const rows: RowOf[] = [];
      const gone: Omit<RowOf, "data">[] = [];
      const touched = new Set<number>();
      for (const { key, table, pk, data } of changed.rows) {
        const owned = byKey.get(key);
        if (owned === undefined) continue;
        touched.add(key);
        if (data === undefined) gone.push({ session: owned.id, table, pk });
        else rows.push({ session: owned.id, table, pk, data });
      }
      const heads = [...changed.heads].flatMap((key) => {
        const owned = byKey.get(key);
        if (owned === undefined) return [];
        touched.add(key);
        return [{ id: owned.id, schema: SCHEMA_VERSION, ...copy.head(key) }];
      });
      const released: string[] = [];
      const vacated: string[] = [];
      for (const owned of letting.keys()) {
        if (touched.has(owned.key)) continue;
        (copy.head(owned.key).status === VACANT ? vacated : released).push(owned.id);
      }
      return { rows, gone, heads, released, vacated };
    },
    stored({ released, vacated }) {
      for (const id of [...released, ...vacated]) {
        const owned = byId.get(id);
        if (owned === undefined) continue;
        departures += 1;
        byId.delete(id);
        byKey.delete(owned.key);
        copy.drop(owned.key);
        letting.get(owned)?.();
        letting.delete(owned);
      }
    },
    abandon() {
      for (const settle of letting.values()) settle();
      letting.clear();
    },
  };
}

/** The session is not this process's, or not any more: nothing of what was asked has been done. */
export class NotHere extends Error {
  override readonly name = "NotHere";

  constructor() {
    super("the session is not here");
  }
}
