import { clusterOf } from "../support/cluster.ts";
import { testBehaviour } from "./index.ts";

testBehaviour(clusterOf("cluster", ["node", "node", "node"]));
