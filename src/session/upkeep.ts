/**
 * What a session has its alarm for: it ends what is too old, looks whether the edges of its streams are
 * alive, and keeps the isolate from being taken for idle while a call runs with nobody listening, or goes
 * on after its answer.
 * @module
 */
import { shortId } from "../log-text.ts";
import type { Core } from "./core.ts";
import type { SessionRow } from "./store/schema.ts";
import type { Outlet } from "./streams/outlet.ts";
import { outletsOf } from "./streams/streams.ts";

/** The session's calls, as upkeep looks after them. */
export interface KeptUp {
  inFlight(): number;
  due(): number | undefined;
  expire(): void;
}

/** How soon the alarm rings again while a call is in flight, or its work goes on. */
const HOLD_MS = 20_000;

/**
 * What begins a duty, and what the alarm does about all of them. One for each session and isolate; sets no alarm
 * before something is to be looked after.
 */
export class Upkeep {
  readonly #core: Core;
  readonly #calls: KeptUp;
  readonly #stop: () => Promise<void>;

  /** @param stop ends a session whose time is up */
  constructor(core: Core, calls: KeptUp, stop: () => Promise<void>) {
    this.#core = core;
    this.#calls = calls;
    this.#stop = stop;
  }

  /** The session's own end is to be looked after from now on. */
  begun(): Promise<void> {
    const { deadlines, lifecycle, options } = this.#core;
    return deadlines.by(lifecycle.deadline(false) ?? options.now());
  }

  /** A connection is to be looked after from now on. */
  connected(outlet: Outlet): Promise<void> {
    const { deadlines, options } = this.#core;
    const { maxStreamMs } = options.settings;
    return deadlines.by(Math.min(outlet.openedAt + maxStreamMs, options.now() + this.#superviseMs()));
  }

  /** A connection is over. */
  disconnected(): Promise<void> {
    return this.#isBusy() ? this.busy() : this.begun();
  }

  /** Something goes on for which the isolate is to be kept. */
  busy(): Promise<void> {
    return this.#core.deadlines.by(this.#core.options.now() + HOLD_MS);
  }

  /** The alarm rang: does what is due, and sets it again where something remains. Never throws. */
  async alarm(): Promise<void> {
    const { deadlines, options } = this.#core;
    try {
      await deadlines.rearm(this.#next(await this.#ring()));
    } catch (error) {
      options.settings.emit("send.error", { session: shortId(options.id), message: String(error) });
      await this.#salvage();
    }
  }

  #superviseMs(): number {
    const { superviseIntervalMs, sessionTtlMs } = this.#core.options.settings;
    return Math.min(superviseIntervalMs, Math.max(1000, sessionTtlMs / 10));
  }

  #isBusy(): boolean {
    return this.#calls.inFlight() > 0 || this.#core.isBusy();
  }

  /** When the session next has something to do; `oldest` is when the oldest of its messages was stored. */
  #next(oldest: number | undefined): number | undefined {
    const { lifecycle, options } = this.#core;
    const { settings, now } = options;
    const row = lifecycle.live();
    if (row === undefined) return lifecycle.deadline(false);
    const outlets = outletsOf(this.#core.streamsOf(row));
    const due = [
      lifecycle.deadline(outlets.length > 0),
      ...outlets.map(({ outlet }) => outlet.openedAt + settings.maxStreamMs),
      outlets.length > 0 ? now() + this.#superviseMs() : undefined,
      this.#isBusy() ? now() + HOLD_MS : undefined,
      this.#calls.due(),
      oldest === undefined ? undefined : oldest + settings.messageTtlMs,
    ].filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Ends connections that are too old, or whose edge has not been heard of for too long. */
  #supervise(row: SessionRow): void {
    const { settings, now } = this.#core.options;
    const supervises = settings.keepaliveIntervalMs > 0;
    for (const { stream, outlet } of outletsOf(this.#core.streamsOf(row))) {
      const { connectionId, openedAt } = outlet;
      const silence = now() - (outlet.lastSeen?.() ?? now());
      const failures = Math.floor(silence / settings.keepaliveIntervalMs);
      if (now() - openedAt >= settings.maxStreamMs) {
        settings.emit("connection.timeout", { connectionId, durationMs: now() - openedAt });
        stream.end("timeout");
      } else if (supervises && failures >= settings.keepaliveMaxFailures) {
        settings.emit("connection.max_failures", { connectionId, failures });
        stream.end("failures");
      } else if (outlet.isBlind) stream.probe();
    }
  }

  /** Does what is due; returns when the oldest message that is kept was stored. */
  async #ring(): Promise<number | undefined> {
    const { lifecycle, options } = this.#core;
    const { id, settings, now } = options;
    const row = lifecycle.live();
    if (row === undefined) {
      const deadline = lifecycle.deadline(false);
      if (deadline !== undefined && deadline <= now()) await lifecycle.forget();
      return undefined;
    }
    this.#calls.expire();
    this.#supervise(row);
    // A call alone does not keep its session: where nobody listens for as long as a session lasts, nobody will.
    const streams = this.#core.streamsOf(row);
    const inUse = streams.attached().length > 0;
    const deadline = lifecycle.deadline(inUse);
    if (deadline !== undefined && deadline <= now()) {
      settings.emit("session.expired", {
        session: shortId(id),
        provisional: row.status === "provisional",
        durationMs: lifecycle.age(),
      });
      await this.#stop();
      return undefined;
    }
    if (inUse) lifecycle.touch();
    return streams.age(now() - settings.messageTtlMs);
  }

  /**
   * Where storage cannot be read: tries again later, until the session's time is up (or cannot be told).
   * A throwing alarm would be retried at the platform's own pace, and then never again.
   */
  async #salvage(): Promise<void> {
    const { lifecycle, deadlines, options } = this.#core;
    const { id, settings, now } = options;
    const end = lifecycle.deadline(false);
    const isDue = end !== undefined && !(end > now());
    try {
      if (isDue) await lifecycle.forget();
      await deadlines.rearm(isDue ? undefined : now() + this.#superviseMs());
    } catch (error) {
      settings.emit("send.error", { session: shortId(id), message: String(error) });
    }
  }
}
