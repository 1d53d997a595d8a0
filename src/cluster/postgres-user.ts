/** Users' state in Postgres. @module */
import type { UserReply, UserRequest, Versioned } from "../user/store.ts";
import type { Query } from "./pg.ts";
import { given, kept } from "./sql.ts";

const encoder = new TextEncoder();

/** As `user/store.ts` answers over SQLite: what stands here is how one statement does there what a transaction does here. */
export async function answerUser(
  query: Query,
  request: UserRequest,
  { owner, maxBytes }: { readonly owner: string; readonly maxBytes: number },
): Promise<UserReply> {
  const found = async (name: string): Promise<Versioned> => {
    const [row] = await query<Versioned & object>(
      "SELECT value, version::float8 AS version FROM holdfast.user_state WHERE owner = $1 AND name = $2",
      [owner, kept(name)],
    );
    return row === undefined ? { value: null, version: 0 } : { value: row.value, version: row.version };
  };
  switch (request.op) {
    case "get":
      return { kind: "value", found: await found(request.name) };
    case "keys": {
      const rows = await query<{ name: string }>(
        'SELECT name FROM holdfast.user_state WHERE owner = $1 ORDER BY name COLLATE "C"',
        [owner],
      );
      return { kind: "keys", keys: rows.map(({ name }) => given(name)) };
    }
    case "delete":
    case "erase": {
      const rows =
        request.op === "erase"
          ? await query("DELETE FROM holdfast.user_state WHERE owner = $1 RETURNING name", [owner])
          : await query("DELETE FROM holdfast.user_state WHERE owner = $1 AND name = $2 RETURNING name", [
              owner,
              kept(request.name),
            ]);
      return { kind: "done", changed: rows.length > 0 };
    }
    default:
  }
  const { name, value, ifVersion } = request;
  const size = encoder.encode(name + value).length;
  const isChange = ifVersion !== undefined && ifVersion > 0;
  const [row] = await query<{ bytes: number; version: number | null }>(
    `WITH others AS (
        SELECT coalesce(sum(size), 0) + $4 AS bytes FROM holdfast.user_state WHERE owner = $1 AND name <> $2
      ), put AS (${isChange ? CHANGE : ifVersion === 0 ? `${INSERT} DO NOTHING` : `${INSERT} ${REPLACE}`}
        RETURNING version
      ) SELECT others.bytes::float8 AS bytes, (SELECT version::float8 FROM put) AS version FROM others`,
    [owner, kept(name), value, size, maxBytes, ...(isChange ? [ifVersion] : [])],
  );
  if (row === undefined) throw new Error("the user's state was not answered");
  if (row.version !== null) return { kind: "stored", version: row.version };
  const instead = await found(name);
  if (ifVersion !== undefined && instead.version !== ifVersion) return { kind: "lost", found: instead };
  if (row.bytes > maxBytes) return { kind: "full", bytes: row.bytes };
  throw new Error("the user's state could not be stored; try again");
}

/** Never the number of an earlier writing, as in `user/store.ts`: from 1 to 2^53 - 1. */
const NEXT = "1 + (random() * 9007199254740990)::bigint";
const CHANGE = `UPDATE holdfast.user_state AS held SET version = ${NEXT}, size = $4, value = $3
  FROM others WHERE bytes <= $5 AND owner = $1 AND name = $2 AND version = $6`;
const INSERT = `INSERT INTO holdfast.user_state AS held (owner, name, version, size, value)
  SELECT $1, $2, ${NEXT}, $4, $3 FROM others WHERE bytes <= $5 ON CONFLICT (owner, name)`;
const REPLACE = `DO UPDATE SET version = ${NEXT}, size = excluded.size, value = excluded.value`;
