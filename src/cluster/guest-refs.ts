/** Guests of a cluster as the edge reaches them: each by its id, wherever it is. @module */
import type { GuestKind, Guests } from "../guest.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { Run } from "./errands.ts";
import type { Peers } from "./peers.ts";
import type { Seal } from "./seal.ts";
import type { Tenure } from "./tenure.ts";

/** How guests are reached. */
export interface GuestRefsOptions {
  /** Undefined where there are none: then every id is unknown. */
  readonly kind: GuestKind | undefined;
  readonly seal: Pick<Seal, "mint" | "isOwn">;
  readonly run: Run;
  readonly peers: Pick<Peers, "askGuest">;
  /** Undefined while this process has yet to join the others again. */
  readonly tenure: () => Tenure | undefined;
}

/** The guests of all processes. An id that this cluster has not issued is refused without asking anybody. */
export function createGuestRefs({ kind, seal, run, peers, tenure }: GuestRefsOptions): Guests {
  const none: Guests = {
    mint() {
      throw new Error("this host has no guests");
    },
    find: () => undefined,
  };
  if (kind === undefined) return none;

  const ask = (
    id: string,
    mayCreate: boolean,
    [request, caller]: Parameters<NonNullable<ReturnType<Guests["find"]>>["ask"]>,
  ): Promise<JsonObject> =>
    run<JsonObject>(id, {
      mayCreate,
      here: (at, owned) => at.ask(owned, request, caller),
      there: (node) => peers.askGuest({ node, session: id }, request, caller),
      refused(failure) {
        if (failure === failures.sessionNotFound) return kind.absent;
        throw new Error(failure.error.message);
      },
    });

  return {
    mint() {
      const id = seal.mint("guest");
      let isFresh = true;
      /** It is not known what the first question has left. */
      let isInDoubt = false;
      return {
        id,
        async ask(...asked) {
          const at = tenure();
          if (!isFresh || at === undefined) return ask(id, isFresh || isInDoubt, asked);
          // Nobody else can know of it: it is this process's, and nothing is asked for that.
          isFresh = false;
          try {
            return await at.ask(at.take(id, "fresh"), ...asked);
          } catch (error) {
            isInDoubt = true;
            throw error;
          }
        },
      };
    },
    find: (id) => (seal.isOwn(id, "guest") ? { id, ask: (...asked) => ask(id, false, asked) } : undefined),
  };
}
