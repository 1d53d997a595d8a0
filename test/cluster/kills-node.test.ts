/** Kills at each step of a call, on Node. */
import { kills } from "./kills.ts";

kills(["node", "node", "node"]);
