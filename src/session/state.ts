/** The user's own state of a session: small, synchronous, in the session's store. @module */
import type { SessionState } from "./server.ts";
import type { SessionStore } from "./store.ts";

export interface KeptState extends SessionState {
  /** The session exists from now on: stores what was set before. Called within the transaction that opens it. */
  keep(): void;
}

const encoder = new TextEncoder();

/**
 * What the server's factory sets while the session is being opened is held in memory: a client that is
 * refused must leave nothing stored.
 * @param isOpening whether the session does not exist yet
 * @throws {RangeError} from `set`, where the whole would exceed `maxBytes` as JSON
 */
export function createState(store: SessionStore, maxBytes: number, isOpening: () => boolean): KeptState {
  const early = new Map<string, string>();

  const entries = (): { name: string; value: string }[] =>
    isOpening()
      ? [...early].map(([name, value]) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1))
      : store.entries("state");

  return {
    get<T>(name: string): T | undefined {
      const json = isOpening() ? early.get(name) : store.entry("state", name);
      return json === undefined ? undefined : (JSON.parse(json) as T);
    },
    set(name, value) {
      const json: string | undefined = JSON.stringify(value);
      if (json === undefined) throw new TypeError(`state ${name}: the value cannot be written as JSON`);
      let total = encoder.encode(name + json).length;
      for (const entry of entries()) {
        if (entry.name !== name) total += encoder.encode(entry.name + entry.value).length;
      }
      if (total > maxBytes)
        throw new RangeError(`state ${name}: ${total} bytes exceed maxStateBytes (${maxBytes})`);
      if (isOpening()) early.set(name, json);
      else store.putEntry("state", name, json);
    },
    delete: (name) => (isOpening() ? early.delete(name) : store.deleteEntry("state", name)),
    keys: () => entries().map(({ name }) => name),
    keep() {
      for (const [name, value] of early) store.putEntry("state", name, value);
      early.clear();
    },
  };
}
