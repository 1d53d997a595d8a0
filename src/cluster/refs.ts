/** Sessions of a cluster as the routes reach them: each by its id, wherever it is. @module */
import type { Answer, Attached, Refusal, SessionRef } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import { createElapsed } from "./clock.ts";
import { PATIENCE_MS, PAUSE_MS, type Run, sleep } from "./errands.ts";
import type { Owned } from "./owned.ts";
import type { Peers } from "./peers.ts";
import type { Tenure } from "./tenure.ts";

/** How sessions are reached. */
export interface RefsOptions {
  readonly run: Run;
  readonly peers: Peers;
  /** Undefined while this process has yet to join the others again. */
  readonly tenure: () => Tenure | undefined;
  readonly isClosing: () => boolean;
}

/** Makes references to sessions. */
export interface Refs {
  /** @param mayCreate an opening request opens the session under this id where there is none */
  to(id: string, mayCreate: boolean): SessionRef;
  /** A session under a fresh id is this process's: nobody else can know of it, and nothing is asked for it. */
  fresh(id: string): SessionRef;
}

const refusal = (failure: failures.Failure): Refusal => ({ kind: "refused", failure });

/** The references of one process. */
export function createRefs({ run, peers, tenure, isClosing }: RefsOptions): Refs {
  const elapsed = createElapsed();

  const to = (id: string, mayCreate: boolean): SessionRef => ({
    id,
    post: (call) =>
      run<Answer>(id, {
        mayCreate: mayCreate && (call.opens || call.keyed !== undefined),
        here: (at, owned) => at.post(owned, call, false),
        there: (node) => peers.post({ node, session: id }, call),
        refused: refusal,
      }),
    attach: (request) =>
      run<Attached>(id, {
        mayCreate: mayCreate && (request.opens || request.keyed !== undefined),
        here: (at, owned) => at.attach(owned, request, false),
        there: (node) => peers.attach({ node, session: id }, request),
        refused: refusal,
      }),
    end: (caller) =>
      run<{ readonly kind: "ended" } | Refusal>(id, {
        here: (at, owned) => at.end(owned, caller),
        there: (node) => peers.end({ node, session: id }, caller),
        refused: refusal,
      }),
  });

  return {
    to,
    fresh(id) {
      const known = to(id, false);
      const opened = async <T>(body: (at: Tenure, owned: Owned) => Promise<T>): Promise<T | Refusal> => {
        const began = elapsed.mark();
        for (let at = tenure(); ; at = tenure()) {
          if (at !== undefined) return body(at, at.take(id, "fresh"));
          if (isClosing()) throw new Error("The host is closed");
          if (elapsed.since(began) > PATIENCE_MS) return refusal(failures.unreachable);
          await sleep(PAUSE_MS);
        }
      };
      return {
        ...known,
        post: (call) =>
          call.opens ? opened<Answer>((at, owned) => at.post(owned, call, false)) : known.post(call),
        attach: (request) =>
          request.opens
            ? opened<Attached>((at, owned) => at.attach(owned, request, false))
            : known.attach(request),
      };
    },
  };
}
