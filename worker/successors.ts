/**
 * The sessions that take the place of ended ones (`recovery: "rotate"`), each in an object of its own.
 * @module
 */
import type { Successors } from "../src/session/ports.ts";
import { stamped } from "../src/wire/version.ts";
import { PATHS } from "./wire.ts";

/** Successors in this namespace. Rejects where the other object cannot be reached, or does not take the seed. */
export function successorsIn(namespace: DurableObjectNamespace): Successors {
  return {
    async create(seed) {
      const id = namespace.newUniqueId();
      const made = await namespace
        .get(id)
        .fetch(PATHS.adopt, { method: "POST", body: JSON.stringify(seed), headers: stamped() });
      if (made.status !== 204) throw new Error(`the successor answered ${made.status}`);
      return id.toString();
    },
    async isLive(id) {
      const answer = await namespace
        .get(namespace.idFromString(id))
        .fetch(PATHS.live, { headers: stamped() });
      return answer.status === 204;
    },
  };
}
