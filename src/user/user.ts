/** The user of a call, for the factory's context. @module */
import { DEFAULT_TOPIC } from "../changes.ts";
import { nameOfParts } from "../names.ts";
import { createUserState, type User, type UserChannel, type UserState } from "./state.ts";

/** Whose state, and how to reach it; `maxUserStateBytes` as UTF-8. */
export interface UserOptions {
  readonly principal: string;
  /** The hub's topic that the user's requests belong to: the same subject of two tenants is two users. */
  readonly topic: string | undefined;
  /** The host's way to the state of this name. */
  readonly channel: (name: string) => UserChannel;
  readonly maxUserStateBytes: number;
}

// A class, for a getter that is made once: most servers look at no user.
class LazyUser implements User {
  readonly principal: string;
  readonly #options: UserOptions;
  #state: UserState | undefined;

  constructor(options: UserOptions) {
    this.principal = options.principal;
    this.#options = options;
  }

  get state(): UserState {
    return (this.#state ??= createUserState(channelOf(this.#options), this.#options.maxUserStateBytes));
  }
}

/** The user whose calls a server is built for; undefined where nobody knows who calls. */
export function userOf(
  options: Omit<UserOptions, "principal"> & { principal: string | undefined },
): User | undefined {
  const { principal } = options;
  return principal === undefined ? undefined : new LazyUser({ ...options, principal });
}

/** Reaches a user's state; its name is made with the first request. */
export function channelOf({
  principal,
  topic = DEFAULT_TOPIC,
  channel,
}: Pick<UserOptions, "principal" | "topic" | "channel">): UserChannel {
  let found: Promise<UserChannel> | undefined;
  return async (request) => {
    found ??= nameOfParts("user", topic, principal).then(channel);
    return (await found)(request);
  };
}

/** What the deployment itself can do with users' state. */
export interface Users {
  /** Erases all of a principal's state. True if there was anything. Sessions and tasks are kept apart from it. */
  erase(principal: string, topic?: string): Promise<boolean>;
}

/** Users' state for the deployment itself. `erase` rejects where the state cannot be reached. */
export function createUsers(channel: (name: string) => UserChannel): Users {
  return {
    async erase(principal, topic) {
      const reply = await channelOf({ principal, topic, channel })({ op: "erase" });
      return reply.kind === "done" && reply.changed;
    },
  };
}
