/** Doing something with a session, wherever it is, and wherever it goes meanwhile. @module */
import type { EventSink } from "../events.ts";
import { shortId } from "../log-text.ts";
import * as failures from "../jsonrpc/failures.ts";
import { SCHEMA_VERSION } from "../session/store/schema.ts";
import { createElapsed } from "./clock.ts";
import type { NodeRow } from "./engine.ts";
import { NotHere, type Owned } from "./owned.ts";
import { Refused } from "./peers.ts";
import type { Place, Places } from "./places.ts";
import type { Tenure } from "./tenure.ts";

/** What can be done with a session, here or there. */
export interface Deed<T> {
  readonly here: (tenure: Tenure, owned: Owned) => Promise<T>;
  readonly there: (node: NodeRow) => Promise<T>;
  /** What to answer where it is not done. */
  readonly refused: (failure: failures.Failure) => T;
  /** Takes the id where nothing is stored under it. */
  readonly mayCreate?: boolean;
}

/** Does it; rejects where it is not known what has been done. */
export type Run = <T>(session: string, deed: Deed<T>) => Promise<T>;

/** Where sessions are looked for. */
export interface ErrandsOptions {
  readonly emit: EventSink;
  readonly places: Places;
  /** Undefined while this process has yet to join the others again. */
  readonly tenure: () => Tenure | undefined;
  readonly isClosing: () => boolean;
}

/** How long a request is held for a session that changes hands, or a database that is away. */
export const PATIENCE_MS = 5000;
/** The first pause, which grows with each attempt. */
export const PAUSE_MS = 50;
const PAUSE_MOST_MS = 500;

const elapsed = createElapsed();

/** Resolves after `ms` milliseconds. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What is done is asked again, for a while, only where it is known that nothing has been done. */
export function createErrands({ emit, places, tenure, isClosing }: ErrandsOptions): Run {
  const doAt = async <T>(place: Place, session: string, deed: Deed<T>): Promise<{ done: T } | undefined> => {
    switch (place.kind) {
      case "here":
        return { done: await deed.here(place.tenure, place.owned) };
      case "there": {
        const done = await deed.there(place.node);
        places.reached(place.node);
        return { done };
      }
      case "nowhere":
        return { done: deed.refused(failures.sessionNotFound) };
      case "later":
        emit("storage.newer", { session: shortId(session), found: place.found, known: SCHEMA_VERSION });
        return { done: deed.refused(failures.storedByLater) };
      default:
        return undefined;
    }
  };

  return async <T>(session: string, deed: Deed<T>): Promise<T> => {
    const began = elapsed.mark();
    let refusedBy: string | undefined;
    for (let attempt = 0; elapsed.since(began) < PATIENCE_MS; attempt++) {
      if (isClosing()) throw new Error("The host is closed");
      if (attempt > 0) await sleep(Math.min(PAUSE_MS * attempt, PAUSE_MOST_MS) * Math.random());
      const at = tenure();
      if (at === undefined) continue;
      let place: Place;
      try {
        place = await places.locate(at, session, deed.mayCreate ?? false);
      } catch {
        // The database does not answer: nothing is known, and nothing done.
        continue;
      }
      try {
        const outcome = await doAt(place, session, deed);
        if (outcome !== undefined) return outcome.done;
      } catch (error) {
        if (place.kind === "there") places.forget(session);
        if (error instanceof NotHere) continue;
        if (!(error instanceof Refused) || place.kind !== "there") throw error;
        // Twice, so that one that has just let go of its sessions and ends is not taken for dead in the midst of it.
        if (refusedBy === place.node.id) await places.refused(place.node).catch(() => {});
        refusedBy = place.node.id;
      }
    }
    return deed.refused(failures.unreachable);
  };
}
