/** A session whose time was up is taken up again under its own id (`recovery: "revive"`). @module */
import { shortId } from "../log-text.ts";
import type { Refusal } from "../host.ts";
import { within } from "../within.ts";
import type { Core } from "./core.ts";
import { subscribedUris } from "./server/journal.ts";
import type { SessionRow } from "./store/schema.ts";

/** What a revival asks of the rest of the session. */
export interface Reviving {
  readonly core: Core;
  /** Starts the session's server; rejects where it refuses. */
  wake(row: SessionRow): Promise<unknown>;
  /** The session's own end is to be looked after from now on. */
  begun(): Promise<void>;
}

/**
 * Takes the session up. Where its server refuses, it stays as it was, and is answered as one that is gone; where there
 * is no place for it, that is the answer.
 */
export async function reviveSession(to: Reviving): Promise<Refusal | undefined> {
  const { core } = to;
  const { lifecycle, interest } = core;
  const { id, store, settings } = core.options;
  const undo = lifecycle.revive();
  if (typeof undo !== "function") return { kind: "refused", failure: undo };
  const row = lifecycle.live();
  if (row === undefined) return undefined;
  try {
    await to.wake(row);
  } catch {
    // One that was ended meanwhile has given its place back by that.
    if (lifecycle.live() === undefined) return undefined;
    undo();
    return undefined;
  }
  await to.begun();
  // Its hubs have forgotten it.
  // Not waited for without end: its client's request goes on, and what is missing is asked for by the alarm.
  const asking = interest?.revived(subscribedUris(store));
  if (asking !== undefined) await within(asking, settings.initializeTimeoutMs);
  settings.emit("session.revived", { session: shortId(id) });
  return undefined;
}
