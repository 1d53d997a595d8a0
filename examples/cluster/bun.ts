/** One process of the example cluster on Bun. @module */
import { serve } from "../../src/local/bun.ts";
import { main } from "./main.ts";

await main(serve);
