/** A session whose time was up is taken up again under its own id (`recovery: "revive"`). @module */
import { shortId } from "../events.ts";
import type { Refusal } from "../host.ts";
import type { Interest } from "./interest.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { SessionOptions } from "./ports.ts";
import { subscribedUris } from "./server/journal.ts";
import { within } from "../within.ts";
import type { SessionRow } from "./store/schema.ts";

/** What a revival asks of the rest of the session. */
export interface RevivalOptions extends Pick<SessionOptions<unknown>, "id" | "store" | "settings"> {
  readonly lifecycle: Lifecycle;
  readonly interest: Interest | undefined;
  /** Starts the session's server; rejects where it refuses. */
  readonly wake: (row: SessionRow) => Promise<unknown>;
  /** The session's own end is to be looked after from now on. */
  readonly begun: () => Promise<void>;
}

/**
 * Returns what takes the session up, once however many ask at the same time. Where its server refuses, it stays as it
 * was, and is answered as one that is gone; where there is no place for it, that is the answer.
 */
export function createRevival(options: RevivalOptions): () => Promise<Refusal | undefined> {
  const { id, store, settings, lifecycle, interest } = options;
  let reviving: Promise<Refusal | undefined> | undefined;

  const revive = async (): Promise<Refusal | undefined> => {
    const undo = lifecycle.revive();
    if (typeof undo !== "function") return { kind: "refused", failure: undo };
    const row = lifecycle.live();
    if (row === undefined) return undefined;
    try {
      await options.wake(row);
    } catch {
      // One that was ended meanwhile has given its place back by that.
      if (lifecycle.live() === undefined) return undefined;
      undo();
      return undefined;
    }
    await options.begun();
    // Its hubs have forgotten it.
    // Not waited for without end: its client's request goes on, and what is missing is asked for by the alarm.
    const asking = interest?.revived(subscribedUris(store));
    if (asking !== undefined) await within(asking, settings.initializeTimeoutMs);
    settings.emit("session.revived", { session: shortId(id) });
    return undefined;
  };

  return () => (reviving ??= revive().finally(() => (reviving = undefined)));
}
