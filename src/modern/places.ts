/**
 * Who may listen. A listener costs a server, a connection and what it names for as long as it stays, so each
 * has a place, in all and among those of its principal, and says only so much.
 * @module
 */
import { createBudget, createKeyedBudget } from "../budget.ts";
import type { StatelessCall } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isObject } from "../jsonrpc/messages.ts";
import { createLimitNotice, type TellLimit } from "../limits.ts";

/** How many may listen, and to how much. */
export interface ListenLimits {
  readonly maxListeners: number;
  readonly maxListenersPerPrincipal: number;
  readonly maxListenBytes: number;
}

/** What one listener takes up. */
export interface Place {
  /** The resources that the listener names, as they came. */
  readonly uris: readonly unknown[];
  /** Gives the place back, once. */
  leave(): void;
}

/** The places for listeners in this isolate. */
export interface Places {
  /** A place for the listener whose request this is, or what to answer. */
  enter(call: Pick<StatelessCall, "payload" | "caller" | "settings">): Place | failures.Failure;
}

/** What all listeners together may say: kept for as long as they stay. */
const BYTES_IN_ALL = 33_554_432;

/** All are free at first. */
export function createPlaces(limits: ListenLimits): Places {
  const { maxListeners, maxListenersPerPrincipal, maxListenBytes } = limits;
  const all = createBudget(maxListeners);
  const each = createKeyedBudget(maxListenersPerPrincipal);
  const said = createBudget(Math.max(BYTES_IN_ALL, maxListenBytes));
  let tell: TellLimit | undefined;

  return {
    enter({ payload, caller: { principal }, settings }) {
      tell ??= createLimitNotice(settings.emit);
      const [message] = payload.messages;
      const bytes = JSON.stringify(message).length;
      if (bytes > maxListenBytes) return failures.listensTooLong(maxListenBytes);
      const uris = namedBy(message);
      if (uris.length > settings.maxSubscriptions)
        return failures.listensToTooMuch(settings.maxSubscriptions);
      // The principal's own limit first: what it says concerns the caller alone.
      if (principal !== undefined && !each.take(principal, 1)) {
        tell("maxListenersPerPrincipal", maxListenersPerPrincipal);
        return failures.tooManyListeners(maxListenersPerPrincipal);
      }
      const isIn = all.take(1);
      if (!isIn || !said.take(bytes)) {
        if (isIn) all.give(1);
        if (principal !== undefined) each.give(principal, 1);
        tell("maxListeners", maxListeners);
        return failures.noListenerMore;
      }
      let isLeft = false;
      return {
        uris,
        leave() {
          if (isLeft) return;
          isLeft = true;
          all.give(1);
          said.give(bytes);
          if (principal !== undefined) each.give(principal, 1);
        },
      };
    },
  };
}

function namedBy(message: unknown): readonly unknown[] {
  const params = isObject(message) ? message["params"] : undefined;
  const filter = isObject(params) ? params["notifications"] : undefined;
  const uris = isObject(filter) ? filter["resourceSubscriptions"] : undefined;
  return Array.isArray(uris) ? uris : [];
}
