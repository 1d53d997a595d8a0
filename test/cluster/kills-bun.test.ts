/** Kills at each step of a call: a session on Bun, asked for by way of Deno. */
import { kills } from "./kills.ts";

kills(["bun", "deno", "node"]);
