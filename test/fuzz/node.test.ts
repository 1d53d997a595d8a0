import { node } from "../support/node.ts";
import { testFuzz } from "./index.ts";

testFuzz(node);
