/**
 * Which sessions are in memory. One is loaded when it is used and dropped once it has not been used for
 * a while, as an isolate is evicted: memory follows the sessions that are active, not all that there are.
 * Where there is no room for another, the one that was used longest ago goes at once, if nothing is under
 * way in it.
 * @module
 */
import { guard } from "../guard.ts";
import type { Session } from "../session/contract.ts";
import type { Room } from "./room.ts";
import { letExit } from "./ringer.ts";

/** A session in memory. */
export interface Resident {
  readonly key: number;
  readonly session: Session;
  readonly usage: Usage;
}

interface Usage {
  readonly id: string;
  lastAt: number;
  /** How many keep the session in memory. */
  holds: number;
  /** Neighbours among those that nobody holds, from the one used longest ago on; itself where it is not among them. */
  before: Usage;
  after: Usage;
}

/** The sessions in memory. */
export interface Residents {
  readonly size: number;
  /** The session, loaded where it is not in memory, whether there is room or not. */
  load(id: string, key: number): Resident;
  /** Makes room for the session, where it is not in memory and there is none; false where that cannot be. */
  admit(id: string): boolean;
  /** Keeps the session in memory until the returned function is called, once. */
  hold(resident: Resident): () => void;
  /** The session, where it is in memory. It is not used by that. */
  peek(id: string): Session | undefined;
  /** The key of a session that is in memory. */
  keyOf(id: string): number | undefined;
  /** The session is no more. */
  forget(id: string): void;
  /** Drops the session now, if nothing is under way in it. */
  evict(id: string): void;
  /** Drops those that have not been used for long enough, as is done from time to time. */
  sweep(): void;
  /** Has every session let go: see `Session.shutdown`. */
  shutdown(): void;
  /** Resolves once nobody holds a session, or after `ms`. */
  settled(ms: number): Promise<void>;
}

/** How long and how many sessions stay, in milliseconds and in number. */
export interface ResidentsOptions {
  readonly now: () => number;
  readonly evictAfterMs: number;
  /** Most sessions that are loaded on demand; those with something under way are never dropped for others. */
  readonly room: Room;
  /** Builds the session; it calls `touch` whenever the session does something of its own accord. */
  readonly create: (id: string, key: number, touch: () => void) => Session;
  /** Hears what a session throws as it is let go, which keeps no other from being let go. */
  readonly onError: (id: string, error: unknown) => void;
}

/** How often in `evictAfterMs` is looked for sessions to evict. */
const LOOKS = 4;
/** Sessions that are looked at for one to drop. Those at work with nobody waiting may be many: no request goes through all. */
const TRIES = 64;

/** Nothing is in memory at first. */
export function createResidents({ now, evictAfterMs, room, create, onError }: ResidentsOptions): Residents {
  const entries = new Map<string, Resident>();
  /** Both ends of the ring of those that nobody holds. */
  const ends = alone("");
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Sessions that somebody holds. */
  let held = 0;
  let onReleased: (() => void) | undefined;

  const leave = (usage: Usage): void => {
    usage.before.after = usage.after;
    usage.after.before = usage.before;
    usage.before = usage.after = usage;
  };
  const join = (usage: Usage): void => {
    usage.before = ends.before;
    usage.after = ends;
    ends.before.after = usage;
    ends.before = usage;
  };
  const isFree = (usage: Usage): boolean => usage.after !== usage;

  const letGo = (id: string, session: Session): void =>
    guard(
      () => session.shutdown(),
      (error) => onError(id, error),
    );

  /** Only while there are sessions in memory. */
  const watch = (): void => {
    if (timer !== undefined || entries.size === 0) return;
    timer = setTimeout(sweep, Math.max(1, evictAfterMs / LOOKS));
    letExit(timer);
  };

  const sweep = (): void => {
    timer = undefined;
    const before = now() - evictAfterMs;
    for (const [id, { usage }] of entries) if (usage.lastAt <= before) evict(id);
    watch();
  };

  const drop = (id: string): Resident | undefined => {
    const entry = entries.get(id);
    if (entry === undefined) return undefined;
    entries.delete(id);
    leave(entry.usage);
    return entry;
  };

  const evict = (id: string): void => {
    const entry = entries.get(id);
    if (entry === undefined || entry.usage.holds > 0 || !entry.session.isIdle()) return;
    drop(id);
    letGo(id, entry.session);
  };

  const isFull = (): boolean => entries.size >= room.most(entries.size);

  const makeRoom = (): boolean => {
    const before = entries.size;
    for (let tries = 0; tries < TRIES && isFull() && ends.after !== ends; tries++) {
      const { after: oldest } = ends;
      evict(oldest.id);
      if (!isFree(oldest)) continue;
      // At work on its own: looked at again once all others have been.
      leave(oldest);
      join(oldest);
    }
    // Where what there is room for has shrunk by many, each that comes drops some: fewer than before is good enough.
    return !isFull() || entries.size < before || entries.size < room.mostNow(entries.size);
  };

  const add = (id: string, key: number): Resident => {
    const usage = alone(id);
    usage.lastAt = now();
    const touch = (): void => {
      usage.lastAt = now();
      if (!isFree(usage)) return;
      leave(usage);
      join(usage);
    };
    const entry: Resident = { key, session: create(id, key, touch), usage };
    entries.set(id, entry);
    join(usage);
    watch();
    return entry;
  };

  return {
    get size() {
      return entries.size;
    },
    load: (id, key) => entries.get(id) ?? add(id, key),
    admit: (id) => !isFull() || entries.has(id) || makeRoom(),
    hold({ usage }) {
      if (usage.holds === 0) {
        held += 1;
        leave(usage);
      }
      usage.holds += 1;
      return () => {
        usage.lastAt = now();
        usage.holds -= 1;
        if (usage.holds > 0) return;
        held -= 1;
        // Not one that was forgotten meanwhile.
        if (entries.get(usage.id)?.usage === usage) join(usage);
        if (held === 0) onReleased?.();
      };
    },
    peek: (id) => entries.get(id)?.session,
    keyOf: (id) => entries.get(id)?.key,
    forget: (id) => void drop(id),
    evict,
    sweep() {
      clearTimeout(timer);
      sweep();
    },
    shutdown() {
      clearTimeout(timer);
      for (const [id, { session }] of entries) letGo(id, session);
    },
    settled: (ms) =>
      new Promise((resolve) => {
        const limit = setTimeout(resolve, ms);
        onReleased = () => {
          clearTimeout(limit);
          resolve();
        };
        if (held === 0) onReleased();
      }),
  };
}

/** Of a session that is in no ring. */
function alone(id: string): Usage {
  const usage = { id, lastAt: 0, holds: 0 } as Usage;
  usage.before = usage.after = usage;
  return usage;
}
