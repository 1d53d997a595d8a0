import { bun } from "../support/bun.ts";
import { testBehaviour } from "./index.ts";

testBehaviour(bun);
