/** What the database of a cluster holds of a session's events. @module */
import type { TestDatabase } from "./postgres.ts";

/** The events' ids, as clients are told them. */
export async function storedEvents(database: TestDatabase, session: string): Promise<Set<string>> {
  const rows = await database.query<{ pk: string }>(
    "SELECT pk FROM holdfast.row WHERE session = $1 AND tbl = 'event'",
    [session],
  );
  return new Set(
    rows.map(({ pk }) => {
      const [stream = 0, seq = 0] = JSON.parse(pk) as number[];
      return `${stream.toString(36)}.${seq.toString(36)}`;
    }),
  );
}
