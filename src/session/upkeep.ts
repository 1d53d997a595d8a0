/**
 * What a session has its alarm for: it ends what is too old, looks whether the edges of its streams are
 * alive, and keeps the isolate from being taken for idle while a call runs with nobody listening, or goes
 * on after its answer.
 * @module
 */
import type { Background } from "../background.ts";
import { shortId } from "../events.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Dispatch } from "./calls/dispatch.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { SessionOptions } from "./ports.ts";
import type { Outlet } from "./streams/outlet.ts";
import type { SessionRow } from "./store/schema.ts";
import { outletsOf, type Streams } from "./streams/streams.ts";

/** What begins a duty, and what the alarm does about all of them. */
export interface Upkeep {
  /** The session's own end is to be looked after from now on. */
  begun(): Promise<void>;
  /** The alarm rang: does what is due, and sets it again where something remains. Never throws. */
  alarm(): Promise<void>;
  /** A connection is to be looked after from now on. */
  connected(outlet: Outlet): Promise<void>;
  /** A connection is over. */
  disconnected(): Promise<void>;
  /** Something goes on for which the isolate is to be kept. */
  busy(): Promise<void>;
}

/** What upkeep looks after. */
export interface UpkeepOptions extends Pick<SessionOptions<unknown>, "id" | "settings" | "now"> {
  readonly lifecycle: Lifecycle;
  readonly deadlines: Deadlines;
  readonly streams: (row: SessionRow) => Streams;
  readonly calls: Pick<Dispatch, "inFlight" | "due" | "expire">;
  readonly background: Pick<Background, "isBusy">;
  /** Ends a session whose time is up. */
  readonly stop: () => Promise<void>;
}

/** How soon the alarm rings again while a call is in flight, or its work goes on. */
const HOLD_MS = 20_000;

/** One for each session and isolate; sets no alarm before something is to be looked after. */
export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { id, settings, now, lifecycle, deadlines, streams, calls, background, stop } = options;
  const superviseMs = Math.min(settings.superviseIntervalMs, Math.max(1000, settings.sessionTtlMs / 10));
  const supervises = settings.keepaliveIntervalMs > 0;

  const isBusy = (): boolean => calls.inFlight() > 0 || background.isBusy();
  const busy = (): Promise<void> => deadlines.by(now() + HOLD_MS);

  /** When the session next has something to do; `oldest` is when the oldest of its messages was stored. */
  const next = (oldest: number | undefined): number | undefined => {
    const row = lifecycle.live();
    if (row === undefined) return lifecycle.deadline(false);
    const outlets = outletsOf(streams(row));
    const due = [
      lifecycle.deadline(outlets.length > 0),
      ...outlets.map(({ outlet }) => outlet.openedAt + settings.maxStreamMs),
      outlets.length > 0 ? now() + superviseMs : undefined,
      isBusy() ? now() + HOLD_MS : undefined,
      calls.due(),
      oldest === undefined ? undefined : oldest + settings.messageTtlMs,
    ].filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  };

  /** Ends connections that are too old, or whose edge has not been heard of for too long. */
  const supervise = (row: SessionRow): void => {
    for (const { stream, outlet } of outletsOf(streams(row))) {
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
  };

  /** Does what is due; returns when the oldest message that is kept was stored. */
  const ring = async (): Promise<number | undefined> => {
    const row = lifecycle.live();
    if (row === undefined) {
      const deadline = lifecycle.deadline(false);
      if (deadline !== undefined && deadline <= now()) await lifecycle.forget();
      return undefined;
    }
    calls.expire();
    supervise(row);
    // A call alone does not keep its session: where nobody listens for as long as a session lasts, nobody will.
    const inUse = streams(row).attached().length > 0;
    const deadline = lifecycle.deadline(inUse);
    if (deadline !== undefined && deadline <= now()) {
      settings.emit("session.expired", {
        session: shortId(id),
        provisional: row.status === "provisional",
        durationMs: lifecycle.age(),
      });
      await stop();
      return undefined;
    }
    if (inUse) lifecycle.touch();
    return streams(row).age(now() - settings.messageTtlMs);
  };

  /**
   * Where storage cannot be read: tries again later, until the session's time is up (or cannot be told).
   * A throwing alarm would be retried at the platform's own pace, and then never again.
   */
  const salvage = async (): Promise<void> => {
    const end = lifecycle.deadline(false);
    const isDue = end !== undefined && !(end > now());
    try {
      if (isDue) await lifecycle.forget();
      await deadlines.rearm(isDue ? undefined : now() + superviseMs);
    } catch (error) {
      settings.emit("send.error", { session: shortId(id), message: String(error) });
    }
  };

  const begun = (): Promise<void> => deadlines.by(lifecycle.deadline(false) ?? now());

  return {
    begun,
    async alarm() {
      try {
        await deadlines.rearm(next(await ring()));
      } catch (error) {
        settings.emit("send.error", { session: shortId(id), message: String(error) });
        await salvage();
      }
    },
    connected: (outlet) =>
      deadlines.by(Math.min(outlet.openedAt + settings.maxStreamMs, now() + superviseMs)),
    disconnected: () => (isBusy() ? busy() : begun()),
    busy,
  };
}
