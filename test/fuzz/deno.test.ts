import { deno } from "../support/deno.ts";
import { testFuzz } from "./index.ts";

testFuzz(deno);
