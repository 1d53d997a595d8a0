/**
 * Which sessions are in memory. One is loaded when it is used and dropped once it has not been used for
 * a while, as an isolate is evicted: memory follows the sessions that are active, not all that there are.
 * @module
 */
import type { Session } from "../session/session.ts";
import { letExit } from "./alarms.ts";

export interface Resident {
  readonly key: number;
  readonly session: Session;
  readonly usage: Usage;
}

interface Usage {
  lastAt: number;
  /** How many keep the session in memory. */
  holds: number;
}

export interface Residents {
  readonly size: number;
  /** The session, loaded where it is not in memory. */
  load(id: string, key: number): Resident;
  /** Keeps the session in memory until the returned function is called, once. */
  hold(resident: Resident): () => void;
  /** The key of a session that is in memory. */
  keyOf(id: string): number | undefined;
  /** The session is no more. */
  forget(id: string): void;
  /** Drops the session now, if nothing is under way in it. */
  evict(id: string): void;
  /** Has every session let go: see `Session.shutdown`. */
  shutdown(): void;
  /** Resolves once nobody holds a session, or after `ms`. */
  settled(ms: number): Promise<void>;
}

/** How often in `evictAfterMs` is looked for sessions to evict. */
const LOOKS = 4;

/** @param create builds the session; it calls `touch` whenever the session does something of its own accord */
export function createResidents(
  now: () => number,
  evictAfterMs: number,
  create: (id: string, key: number, touch: () => void) => Session,
): Residents {
  const entries = new Map<string, Resident>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onReleased: (() => void) | undefined;

  const isAnyHeld = (): boolean => [...entries.values()].some(({ usage }) => usage.holds > 0);

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

  const evict = (id: string): void => {
    const entry = entries.get(id);
    if (entry === undefined || entry.usage.holds > 0 || !entry.session.isIdle()) return;
    entries.delete(id);
    entry.session.shutdown();
  };

  const add = (id: string, key: number): Resident => {
    const usage: Usage = { lastAt: now(), holds: 0 };
    const touch = (): void => void (usage.lastAt = now());
    const entry: Resident = { key, session: create(id, key, touch), usage };
    entries.set(id, entry);
    watch();
    return entry;
  };

  return {
    get size() {
      return entries.size;
    },
    load: (id, key) => entries.get(id) ?? add(id, key),
    hold({ usage }) {
      usage.holds += 1;
      return () => {
        usage.lastAt = now();
        usage.holds -= 1;
        onReleased?.();
      };
    },
    keyOf: (id) => entries.get(id)?.key,
    forget: (id) => void entries.delete(id),
    evict,
    shutdown() {
      clearTimeout(timer);
      for (const entry of entries.values()) entry.session.shutdown();
    },
    settled: (ms) =>
      new Promise((resolve) => {
        const limit = setTimeout(resolve, ms);
        onReleased = () => {
          if (isAnyHeld()) return;
          clearTimeout(limit);
          resolve();
        };
        onReleased();
      }),
  };
}
