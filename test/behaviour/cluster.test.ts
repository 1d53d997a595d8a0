import { clusterOf } from "../support/cluster-subject.ts";
import { testBehaviour } from "./index.ts";

testBehaviour(clusterOf("a cluster of Node, Deno and Bun", ["node", "deno", "bun"]));
