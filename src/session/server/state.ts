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
  return new SessionsState(store, maxBytes, isOpening);
}

class SessionsState implements KeptState {
  readonly #store: EntryStore;
  readonly #maxBytes: number;
  readonly #isOpening: () => boolean;
  /** What was set while the session was being opened. */
  #early: Map<string, string> | undefined;
  /** Bytes of what is stored: counted once in an isolate's life, and kept from then on. */
  #stored: number | undefined;

  constructor(store: EntryStore, maxBytes: number, isOpening: () => boolean) {
    this.#store = store;
    this.#maxBytes = maxBytes;
    this.#isOpening = isOpening;
  }

  get<T>(name: string): T | undefined {
    stateName(name);
    const json = this.#isOpening() ? this.#early?.get(name) : this.#store.entry("state", name);
    return json === undefined ? undefined : (JSON.parse(json) as T);
  }

  set(name: string, value: unknown): void {
    stateName(name);
    const json: string | undefined = JSON.stringify(value);
    if (json === undefined) throw new TypeError(`state ${name}: the value cannot be written as JSON`);
    const size = entryBytes(name, json);
    if (size > MOST_ENTRY_BYTES) {
      throw new RangeError(
        `state ${name}: ${size} bytes exceed what one value may have (${MOST_ENTRY_BYTES}, its name included)`,
      );
    }
    const next = this.#total() + size - this.#sizeOf(name);
    if (next > this.#maxBytes)
      throw new RangeError(`state ${name}: ${next} bytes exceed maxStateBytes (${this.#maxBytes})`);
    if (this.#isOpening()) return void (this.#early ??= new Map()).set(name, json);
    this.#store.putEntry("state", name, json);
    this.#stored = next;
  }

  delete(name: string): boolean {
    stateName(name);
    if (this.#isOpening()) return this.#early?.delete(name) ?? false;
    const next = this.#total() - this.#sizeOf(name);
    const isThere = this.#store.deleteEntry("state", name);
    this.#stored = next;
    return isThere;
  }

  keys(): string[] {
    return this.#isOpening()
      ? [...(this.#early?.keys() ?? [])].sort()
      : this.#store.entries("state").map(({ name }) => name);
  }

  keep(): void {
    for (const [name, value] of this.#early ?? []) this.#store.putEntry("state", name, value);
    this.#early = undefined;
  }

  #sizeOf(name: string): number {
    if (!this.#isOpening()) return this.#store.entrySize("state", name) ?? 0;
    const json = this.#early?.get(name);
    return json === undefined ? 0 : entryBytes(name, json);
  }

  #total(): number {
    if (!this.#isOpening()) return (this.#stored ??= this.#store.entryTotal("state").bytes);
    let bytes = 0;
    for (const [name, value] of this.#early ?? []) bytes += entryBytes(name, value);
    return bytes;
  }
}
