/** Notices that the database file is gone, which SQLite does not: it goes on with the file that it has open. @module */
import type { EventSink } from "../events.ts";
import type { Sqlite } from "./sqlite.ts";

/** How often is looked, at most. */
const LOOK_MS = 10_000;
const NOTICE =
  "The database file was removed or replaced while it is in use: all that is stored ends with this process; restart it";

/** To be called now and then, by whoever stores something: no timer is kept for it. Told once. */
export function createFileLook(sqlite: Sqlite, emit: EventSink, now: () => number): () => void {
  let lookedAt = -Infinity;
  let isLost = false;
  return () => {
    if (isLost || Math.abs(now() - lookedAt) < LOOK_MS) return;
    lookedAt = now();
    isLost = !sqlite.isInPlace();
    if (isLost) emit("storage.lost", { message: NOTICE });
  };
}
