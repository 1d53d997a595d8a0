import { bun } from "../support/bun.ts";
import { testFuzz } from "./index.ts";

testFuzz(bun);
