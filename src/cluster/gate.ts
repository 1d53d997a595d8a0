/**
 * The gate: nothing that follows from a write leaves this process before the write is stored, and nothing at all while
 * the process may have lost its lease.
 *
 * One flush is under way at a time, and what is written meanwhile gathers for the next: the commit is shared by all that
 * write. A flush renews the lease, and one is made for that alone where none else is due. It is tried until its outcome
 * is known; while it is not, all that waits for it waits.
 * @module
 */
import { setImmediate } from "node:timers";
import type { EventSink } from "../events.ts";
import { messageOf } from "../log-text.ts";
import { letExit } from "../local/ringer.ts";
import { createElapsed, type Mark } from "./clock.ts";
import type { Batch, Flushed } from "./engine.ts";

/** Why a process's tenure is over. */
export type GateEnd = "fenced" | "lost" | "closed";

/** What lets out what is stored. */
export interface Gate {
  /** The session under this key has written, just now. */
  wrote(key: number): void;
  /**
   * Runs `action` once all that the session has written is stored and the lease holds: at once where both are so.
   * Never where it could not be stored.
   */
  settled(key: number, action: () => void): void;
  /** Resolves then; undefined where that is now. Rejects where it could not be stored. */
  stored(key: number): Promise<void> | undefined;
  /** True where the session has written something that is not stored yet. */
  isDirty(key: number): boolean;
  /** True while no other process can have taken what this one has. */
  isHeld(): boolean;
  /** True where the lease has been held without a break for as long as a lease lasts: others have had time to renew theirs. */
  isSteady(): boolean;
  /** Resolves once everything that was gathered until now is stored. */
  flush(): Promise<void>;
  /** Lets nothing out any more. */
  end(why: GateEnd): void;
}

/** What stands behind a gate. */
export interface GateOptions {
  readonly leaseMs: number;
  readonly emit: EventSink;
  /** What has changed since the last batch. */
  readonly collect: () => Batch;
  readonly flush: (n: number, batch: Batch) => Promise<Flushed>;
  /** A batch is stored. */
  readonly onStored: (batch: Batch) => void;
  readonly onClock: (now: number) => void;
  /** The tenure is over: another may have what this process had. Called once, and not for `closed`. */
  readonly onEnd: (why: GateEnd) => void;
  /** When the request was sent that began the lease. */
  readonly since: Mark;
}

/** The lease counts from before it was asked for, and ends this much earlier here than there: clocks do not run alike. */
const MARGIN = 0.1;
/** Renewed so many times in a lease. */
const RENEWALS = 3;
const RETRY_MS = 50;
const RETRY_MOST_MS = 1000;

const elapsed = createElapsed();

/** Opens as the node has joined: its lease holds, and nothing waits. */
export function createGate(options: GateOptions): Gate {
  const { leaseMs, emit, collect, onStored, onClock, onEnd } = options;
  /** The number of the batch that is gathering, and of the last that is stored. */
  let gathering = 1;
  let done = 0;
  let renewed = options.since;
  /** Since when the lease has not lapsed. */
  let steady = options.since;
  let over: GateEnd | undefined;
  let isFlushing = false;
  let isDue = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The last batch that holds something of a session. */
  const dirty = new Map<number, number>();
  const waiting = new Map<number, { action: () => void; fail: (() => void) | undefined }[]>();

  const isHeld = (): boolean => over === undefined && elapsed.since(renewed) < leaseMs * (1 - MARGIN);

  const end = (why: GateEnd): void => {
    if (over !== undefined) return;
    over = why;
    clearTimeout(timer);
    const failed = [...waiting.values()].flat();
    waiting.clear();
    for (const { fail } of failed) fail?.();
    if (why !== "closed") onEnd(why);
  };

  const run = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      emit("send.error", { session: undefined, message: messageOf(error) });
    }
  };

  /** Asks until it is known what became of it. */
  const outcome = async (n: number, batch: Batch): Promise<{ flushed: Flushed; sent: Mark } | undefined> => {
    let pause = RETRY_MS;
    for (let attempt = 1; over === undefined; attempt++) {
      const sent = elapsed.mark();
      try {
        return { flushed: await options.flush(n, batch), sent };
      } catch (error) {
        if (attempt === 1) emit("cluster.unreachable", { message: messageOf(error) });
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(2 * pause, RETRY_MOST_MS);
      }
    }
    return undefined;
  };

  const flushOnce = async (): Promise<void> => {
    const n = gathering;
    gathering += 1;
    const batch = collect();
    const known = await outcome(n, batch);
    if (known === undefined || over !== undefined) return;
    const { flushed, sent } = known;
    if (flushed.kind !== "stored") return end(flushed.kind);
    if (elapsed.since(renewed) >= leaseMs) steady = sent;
    renewed = sent;
    done = n;
    onClock(flushed.now);
    onStored(batch);
    for (const [key, last] of dirty) if (last <= n) dirty.delete(key);
    const actions = waiting.get(n) ?? [];
    waiting.delete(n);
    for (const { action } of actions) run(action);
  };

  const loop = async (): Promise<void> => {
    isFlushing = true;
    clearTimeout(timer);
    while (isDue && over === undefined) {
      isDue = false;
      await flushOnce();
    }
    isFlushing = false;
    if (over !== undefined) return;
    timer = setTimeout(begin, leaseMs / RENEWALS);
    letExit(timer);
  };

  function begin(): void {
    isDue = true;
    if (!isFlushing) void loop();
  }

  /** At the end of this turn of the event loop, with all else that it writes. */
  const schedule = (): void => {
    if (isDue || over !== undefined) return;
    isDue = true;
    if (!isFlushing)
      setImmediate(() => {
        if (!isFlushing) void loop();
      });
  };

  const await_ = (n: number, action: () => void, fail?: () => void): void => {
    const others = waiting.get(n);
    if (others === undefined) waiting.set(n, [{ action, fail }]);
    else others.push({ action, fail });
  };

  /** The batch that must be stored before anything of the session leaves; 0 where nothing must. */
  const barrier = (key: number): number => {
    const last = dirty.get(key) ?? 0;
    if (last > done) return last;
    if (isHeld()) return 0;
    // Nothing leaves of a process that may own nothing any more: the next flush tells.
    schedule();
    return gathering;
  };

  timer = setTimeout(begin, leaseMs / RENEWALS);
  letExit(timer);

  return {
    wrote(key) {
      if (over !== undefined) return;
      dirty.set(key, gathering);
      schedule();
    },
    settled(key, action) {
      if (over !== undefined) return;
      const n = barrier(key);
      if (n === 0) action();
      else await_(n, action);
    },
    stored(key) {
      if (over !== undefined) return Promise.reject(new TenureOver());
      const n = barrier(key);
      if (n === 0) return undefined;
      return new Promise((resolve, reject) => await_(n, resolve, () => reject(new TenureOver())));
    },
    isDirty: (key) => (dirty.get(key) ?? 0) > done,
    isHeld,
    isSteady: () => isHeld() && elapsed.since(steady) >= leaseMs,
    flush() {
      if (over !== undefined) return Promise.reject(new TenureOver());
      const n = gathering;
      schedule();
      return new Promise((resolve, reject) => await_(n, resolve, () => reject(new TenureOver())));
    },
    end,
  };
}

/** The process has lost what it had, or may have. What was asked of it is not known to have been stored. */
export class TenureOver extends Error {
  override readonly name = "TenureOver";

  constructor() {
    super("this process has lost its lease");
  }
}
