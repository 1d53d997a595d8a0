/**
 * Places for sessions that are being opened, among all that there may be. By a key several requests may open one at
 * once: these share a place.
 * @module
 */
import type { Refusal } from "../host.ts";
import type { Census } from "./census.ts";

/** Those who open a session, by its id. */
export interface Places {
  /** Opens a session where there is a place for it. One that no session has come to stand in is given back. */
  opening<T>(id: string, principal: string | null, body: () => Promise<T>): Promise<T | Refusal>;
  /** True while one is being opened under this id. */
  has(id: string): boolean;
  /** True while more than one request opens it. */
  isShared(id: string): boolean;
  /** The session under this id has come to stand in its place, and has left it again. */
  givenBack(id: string): void;
}

interface Place {
  /** Those that are opening it. */
  requests: number;
  isGivenBack: boolean;
}

/** @param isTaken whether a session stands under this id now */
export function createPlaces(
  census: Pick<Census, "enter" | "leave">,
  isTaken: (id: string) => boolean,
): Places {
  const places = new Map<string, Place>();
  return {
    async opening(id, principal, body) {
      let place = places.get(id);
      if (place === undefined || place.isGivenBack) {
        const failure = census.enter(principal);
        if (failure !== undefined) return { kind: "refused", failure };
        places.set(id, (place = { requests: 0, isGivenBack: false }));
      }
      place.requests += 1;
      try {
        return await body();
      } finally {
        place.requests -= 1;
        if (place.requests === 0) {
          if (places.get(id) === place) places.delete(id);
          if (!place.isGivenBack && !isTaken(id)) census.leave(principal);
        }
      }
    },
    has: (id) => places.has(id),
    isShared: (id) => (places.get(id)?.requests ?? 1) > 1,
    givenBack(id) {
      const place = places.get(id);
      if (place !== undefined) place.isGivenBack = true;
    },
  };
}
