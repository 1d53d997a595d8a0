/** Kills at each step of a call: a session on Deno, asked for by way of Bun. */
import { kills } from "./kills.ts";

kills(["deno", "bun", "node"]);
