import { node } from "../support/node.ts";
import { testBehaviour } from "./index.ts";

testBehaviour(node);
