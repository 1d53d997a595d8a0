/** Which sessions this process has, what of them a flush stores, and how one is let go of. @module */
import { SCHEMA_VERSION } from "../session/store/schema.ts";
import { type Holder, VACANT, type WorkingCopy } from "./copy.ts";
import type { Batch, Claimed, RowOf } from "./engine.ts";

/** A session that this process has, or a guest. */
export interface Owned extends Holder {
  /** Requests that may open it, or have yet to be let in. */
  users: number;
  /** Set while it is being let go of: resolves once others can take it. */
  leaving: Promise<void> | undefined;
  /** False while the database cannot know of it: its id is fresh, and nothing has been written under it. */
  isKnown: boolean;
  /** The version of what is stored of it. */
  schema: number;
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
  /** The process has taken what is stored under this id, or the id alone: where it is fresh, nobody knows of that. */
  take(id: string, claimed: Claimed | "reserved" | "fresh"): Owned;
  /** Lets go at once of what nobody knows of. */
  forget(owned: Owned): void;
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

/** What they are kept by. */
export interface OwnedOptions {
  readonly copy: WorkingCopy;
  /** True for the id of a guest. */
  readonly isGuest: (id: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** None yet. */
export function createOwnedSessions({ copy, isGuest, now }: OwnedOptions): OwnedSessions {
  const byId = new Map<string, Owned>();
  const byKey = new Map<number, Owned>();
  const letting = new Map<Owned, () => void>();
  let lastKey = 0;
  let departures = 0;

  const forget = (owned: Owned): void => {
    byId.delete(owned.id);
    byKey.delete(owned.key);
    copy.drop(owned);
  };

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
      const owned: Owned = {
        id,
        key: ++lastKey,
        isGuest: isGuest(id),
        users: 0,
        leaving: undefined,
        isKnown: claimed !== "fresh",
        schema: typeof claimed === "object" ? claimed.head.schema : SCHEMA_VERSION,
      };
      byId.set(id, owned);
      byKey.set(owned.key, owned);
      if (typeof claimed === "object") {
        const { head, rows } = claimed;
        // One whose owner died between its first row and its alarm must not stay for ever.
        copy.load(owned, rows, rows.length === 0 ? null : (head.alarm ?? now()));
      }
      return owned;
    },
    forget,
    letGo(owned) {
      owned.leaving = new Promise((resolve) => letting.set(owned, resolve));
    },
    isStaying: (owned) => letting.has(owned),
    collect() {
      const changed = copy.take();
      const rows: RowOf[] = [];
      const gone: Omit<RowOf, "data">[] = [];
      const touched = new Set<Owned>();
      /** Those whose head is to be stored. */
      const headed = new Set<Owned>();
      const touch = (key: number | string): Owned | undefined => {
        const owned = typeof key === "number" ? byKey.get(key) : byId.get(key);
        if (owned === undefined) return undefined;
        owned.isKnown = true;
        touched.add(owned);
        // With its first row it is of this version: who can read the former alone must not have it any more.
        if (owned.schema !== SCHEMA_VERSION) headed.add(owned);
        return owned;
      };
      for (const { key, table, pk, data } of changed.rows) {
        const owned = touch(key);
        if (owned === undefined) continue;
        if (data === undefined) gone.push({ session: owned.id, table, pk });
        else rows.push({ session: owned.id, table, pk, data });
      }
      for (const key of changed.heads) {
        const owned = touch(key);
        if (owned !== undefined) headed.add(owned);
      }
      const heads = [...headed].map((owned) => {
        owned.schema = SCHEMA_VERSION;
        return { id: owned.id, schema: SCHEMA_VERSION, ...copy.head(owned) };
      });
      const released: string[] = [];
      const vacated: string[] = [];
      for (const owned of letting.keys()) {
        if (touched.has(owned)) continue;
        (copy.head(owned).status === VACANT ? vacated : released).push(owned.id);
      }
      return { rows, gone, heads, released, vacated };
    },
    stored({ released, vacated }) {
      for (const id of [...released, ...vacated]) {
        const owned = byId.get(id);
        if (owned === undefined) continue;
        departures += 1;
        forget(owned);
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
