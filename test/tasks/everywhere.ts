/** All that tasks live in. @module */
import { clusterOf } from "../support/cluster-subject.ts";
import { hosts } from "../support/hosts.ts";
import type { Subject } from "../support/subject.ts";

/** Every host, several processes too, for `describe.each`. */
export const everywhere: readonly Subject[] = [
  ...hosts,
  clusterOf("a cluster of Node, Deno and Bun", ["node", "deno", "bun"]),
];
