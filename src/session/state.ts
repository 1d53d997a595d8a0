/** The user's own state of a session: small, synchronous, in the session's store. @module */
import type { SessionState } from "./server.ts";
import type { SessionStore } from "./store.ts";

/** @throws {RangeError} from `set`, where the whole would exceed `maxBytes` as JSON */
export function createState(store: SessionStore, maxBytes: number): SessionState {
  const size = (name: string, json: string | undefined): number =>
    json === undefined ? 0 : new TextEncoder().encode(name + json).length;

  return {
    get<T>(name: string): T | undefined {
      const json = store.entry("state", name);
      return json === undefined ? undefined : (JSON.parse(json) as T);
    },
    set(name, value) {
      const json: string | undefined = JSON.stringify(value);
      if (json === undefined) throw new TypeError(`state ${name}: the value cannot be written as JSON`);
      let total = size(name, json);
      for (const entry of store.entries("state")) {
        if (entry.name !== name) total += size(entry.name, entry.value);
      }
      if (total > maxBytes)
        throw new RangeError(`state ${name}: ${total} bytes exceed maxStateBytes (${maxBytes})`);
      store.putEntry("state", name, json);
    },
    delete: (name) => store.deleteEntry("state", name),
    keys: () => store.entries("state").map((entry) => entry.name),
  };
}
