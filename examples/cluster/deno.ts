/** One process of the example cluster on Deno. @module */
import { serve } from "../../src/local/deno.ts";
import { main } from "./main.ts";

await main(serve);
