/**
 * A user's own state: what a tool keeps for its principal in every era, whatever session, or none, its calls come in.
 * @module
 */
import { stateName } from "../names.ts";
import { entryBytes, MOST_ENTRY_BYTES } from "../session/store/entries.ts";
import type { UserReply, UserRequest, Versioned } from "./store.ts";

/** The user that a server is built for: the subject that `authorize` returned. */
export interface User {
  readonly principal: string;
  readonly state: UserState;
}

/**
 * A key-value store that belongs to one principal (of one topic). Values are JSON; each call goes to where the user's
 * state is: an object of its own on Workers, the database file in one process. Nothing is stored before the first `set`.
 * @typeParam Shape the names, and the type of the value under each
 */
export interface UserState<Shape extends object = Record<string, unknown>> {
  /** The value under `name`, or undefined. */
  get<Name extends keyof Shape & string>(name: Name): Promise<Shape[Name] | undefined>;
  /**
   * Stores a value under `name`, whatever is there.
   * @throws {TypeError} where it cannot be written as JSON
   * @throws {RangeError} where the user's state would exceed `maxUserStateBytes`, or one value what a row holds
   */
  set<Name extends keyof Shape & string>(name: Name, value: Shape[Name]): Promise<void>;
  /**
   * Replaces the value under `name` by what `change` makes of it, as one step: of updates that meet, none is lost.
   * `change` runs again where another has come between, so it should do nothing but compute.
   * @returns the new value
   * @throws as `set`, and what `change` throws
   */
  update<Name extends keyof Shape & string>(
    name: Name,
    change: (value: Shape[Name] | undefined) => Shape[Name],
  ): Promise<Shape[Name]>;
  /** Removes `name`; true if it was there. */
  delete(name: keyof Shape & string): Promise<boolean>;
  /** All names in use, sorted. */
  keys(): Promise<string[]>;
}

/** Carries a request to where the user's state is. Rejects where that cannot be reached. */
export type UserChannel = (request: UserRequest) => Promise<UserReply>;

/** Most names whose last value is remembered: what an update begins with. */
const MOST_SEEN = 100;

/** The user's state as a tool has it. */
export function createUserState(ask: UserChannel, maxBytes: number): UserState {
  /** What was there last: an update begins with it, and needs one request where nobody else has written since. */
  const seen = new Map<string, Versioned>();

  const note = (name: string, found: Versioned): Versioned => {
    if (seen.size >= MOST_SEEN) seen.clear();
    seen.set(name, found);
    return found;
  };

  const read = async (name: string): Promise<Versioned> => {
    const reply = await ask({ op: "get", name });
    if (reply.kind !== "value") throw new Error(`the user's state answered ${reply.kind}`);
    return note(name, reply.found);
  };

  /** Undefined where it is stored; what is there instead where another has written since `ifVersion`. */
  const put = async (name: string, value: unknown, ifVersion?: number): Promise<Versioned | undefined> => {
    const json: string | undefined = JSON.stringify(value);
    if (json === undefined) throw new TypeError(`user state ${name}: the value cannot be written as JSON`);
    const size = entryBytes(name, json);
    if (size > MOST_ENTRY_BYTES) {
      throw new RangeError(
        `user state ${name}: ${size} bytes exceed what one value may have (${MOST_ENTRY_BYTES}, its name included)`,
      );
    }
    const reply = await ask({ op: "put", name, value: json, ifVersion });
    if (reply.kind === "lost") return note(name, reply.found);
    if (reply.kind === "stored") {
      note(name, { value: json, version: reply.version });
      return undefined;
    }
    if (reply.kind !== "full") throw new Error(`the user's state answered ${reply.kind}`);
    throw new RangeError(`user state ${name}: ${reply.bytes} bytes exceed maxUserStateBytes (${maxBytes})`);
  };

  return {
    get: async (name) => valueOf(await read(stateName(name))),
    async set(name, value) {
      await put(stateName(name), value);
    },
    async update(name, change) {
      stateName(name);
      let at = seen.get(name) ?? (await read(name));
      for (;;) {
        const value = change(valueOf(at));
        const instead = await put(name, value, at.version);
        if (instead === undefined) return value;
        at = instead;
      }
    },
    async delete(name) {
      seen.delete(stateName(name));
      const reply = await ask({ op: "delete", name });
      return reply.kind === "done" && reply.changed;
    },
    async keys() {
      const reply = await ask({ op: "keys" });
      return reply.kind === "keys" ? [...reply.keys] : [];
    },
  };
}

function valueOf({ value }: Versioned): unknown {
  return value === null ? undefined : JSON.parse(value);
}

/**
 * The user's state with the types of its values. They are a matter of the server's alone: nothing is checked.
 * @example
 * const cart = userState<{ items: string[] }>(context);
 * await cart?.update("items", (items = []) => [...items, "tea"]);
 */
export function userState<Shape extends object>(context: {
  readonly user?: User | undefined;
}): UserState<Shape> | undefined {
  return context.user?.state as UserState<Shape> | undefined;
}
