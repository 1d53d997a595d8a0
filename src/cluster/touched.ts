/**
 * Which rows a patchset of SQLite's session extension touches. The extension is the change detector: it knows of every
 * statement, and of what was rolled back. What it says of values is not used; they are read where they lie.
 *
 * The format (sqlite.org, "Session Module", and `sqlite3changeset`): for each table `P`, its number of columns, for each
 * column its place in the primary key or 0, its name and a zero; then for each row its operation, a byte, and its
 * columns, of a deleted row those of the primary key alone. Numbers are varints, integers are eight bytes.
 * @module
 */
import type { SqlValue } from "../session/store/schema.ts";

/** A row that was inserted, updated or deleted. */
export interface TouchedRow {
  readonly table: string;
  /** Its primary key, in the key's order. */
  readonly pk: readonly SqlValue[];
}

const TABLE = 0x50;
const DELETE = 0x09;
const decoder = new TextDecoder();

/** @throws {Error} for what is no patchset */
export function touchedRows(patchset: Uint8Array): TouchedRow[] {
  const view = new DataView(patchset.buffer, patchset.byteOffset, patchset.byteLength);
  const rows: TouchedRow[] = [];
  let at = 0;
  let table = "";
  /** Of each column its place in the primary key, from 1; 0 for the others. */
  let places: readonly number[] = [];

  const byte = (): number => view.getUint8(at++);
  const varint = (): number => {
    let value = 0;
    for (let n = 0; n < 8; n++) {
      const next = byte();
      value = value * 128 + (next & 0x7f);
      if (next < 0x80) return value;
    }
    return value * 256 + byte();
  };
  const value = (): SqlValue | undefined => {
    const type = byte();
    if (type === 0 || type === 5) return type === 5 ? null : undefined;
    if (type === 1 || type === 2) {
      at += 8;
      return type === 1 ? Number(view.getBigInt64(at - 8)) : view.getFloat64(at - 8);
    }
    const length = varint();
    at += length;
    return decoder.decode(patchset.subarray(at - length, at));
  };

  while (at < patchset.length) {
    const mark = byte();
    if (mark === TABLE) {
      places = Array.from({ length: varint() }, byte);
      const end = patchset.indexOf(0, at);
      table = decoder.decode(patchset.subarray(at, end));
      at = end + 1;
      continue;
    }
    byte();
    const pk: SqlValue[] = [];
    for (const place of places) {
      if (place === 0 && mark === DELETE) continue;
      const column = value();
      if (place === 0) continue;
      if (column === undefined) throw new Error(`a patchset of ${table} lacks a part of the key`);
      pk[place - 1] = column;
    }
    rows.push({ table, pk });
  }
  return rows;
}
