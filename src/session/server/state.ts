/** The user's own state of a session: small, synchronous, in the session's store. @module */
import { stateName } from "../../names.ts";
import type { SessionState } from "./factory.ts";
import { type EntryStore, entryBytes, MOST_ENTRY_BYTES } from "../store/entries.ts";

/** The session's state, with what the session itself needs of it. */
export interface KeptState extends SessionState {
  /** The session exists from now on: stores what was set before. Called within the transaction that opens it. */
  keep(): void;
}

/**
 * What the server's factory sets while the session is being opened is held in memory: a client that is
 * refused must leave nothing stored.
 * @param isOpening whether the session does not exist yet
 * @throws {RangeError} from `set`, where the whole would exceed `maxBytes` as JSON, or one value what a row holds
 */
export function createState(store: EntryStore, maxBytes: number, isOpening: () => boolean): KeptState {
  /** What was set while the session was being opened. */
  let early: Map<string, string> | undefined;
  /** Bytes of what is stored: counted once in an isolate's life, and kept from then on. */
  let stored: number | undefined;
  const sizeOf = (name: string): number =>
    isOpening()
      ? early?.has(name)
        ? entryBytes(name, early.get(name) ?? "")
        : 0
      : (store.entrySize("state", name) ?? 0);
  const total = (): number =>
    isOpening()
      ? [...(early ?? [])].reduce((sum, [name, value]) => sum + entryBytes(name, value), 0)
      : (stored ??= store.entryTotal("state").bytes);

  const entries = (): { name: string; value: string }[] =>
    isOpening()
      ? [...(early ?? [])]
          .map(([name, value]) => ({ name, value }))
          .sort((a, b) => (a.name < b.name ? -1 : 1))
      : store.entries("state");

  // Functions of their own, for it is in the user's hands: it may be taken apart, or spread into another.
  return {
    get<T>(name: string): T | undefined {
      stateName(name);
      const json = isOpening() ? early?.get(name) : store.entry("state", name);
      return json === undefined ? undefined : (JSON.parse(json) as T);
    },
    set(name, value) {
      stateName(name);
      const json: string | undefined = JSON.stringify(value);
      if (json === undefined) throw new TypeError(`state ${name}: the value cannot be written as JSON`);
      const size = entryBytes(name, json);
      if (size > MOST_ENTRY_BYTES) {
        throw new RangeError(
          `state ${name}: ${size} bytes exceed what one value may have (${MOST_ENTRY_BYTES}, its name included)`,
        );
      }
      const next = total() + size - sizeOf(name);
      if (next > maxBytes)
        throw new RangeError(`state ${name}: ${next} bytes exceed maxStateBytes (${maxBytes})`);
      if (isOpening()) return void (early ??= new Map()).set(name, json);
      store.putEntry("state", name, json);
      stored = next;
    },
    delete(name) {
      stateName(name);
      if (isOpening()) return early?.delete(name) ?? false;
      const next = total() - sizeOf(name);
      const isThere = store.deleteEntry("state", name);
      stored = next;
      return isThere;
    },
    keys: () => entries().map(({ name }) => name),
    keep() {
      for (const [name, value] of early ?? []) store.putEntry("state", name, value);
      early = undefined;
    },
  };
}
