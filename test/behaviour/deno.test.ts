import { deno } from "../support/deno.ts";
import { testBehaviour } from "./index.ts";

testBehaviour(deno);
