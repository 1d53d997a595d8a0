/** One process of the example cluster on Node. @module */
import { serve } from "../../src/local/node.ts";
import { main } from "./main.ts";

await main(serve);
