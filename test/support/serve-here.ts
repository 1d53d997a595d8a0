/** `serve` of the runtime that this process is: a program for any of the three loads the one it runs on. @module */
import type { ServeOptions, Server } from "../../src/local/serve.ts";

/** Each by its name, and none by a pattern: of a pattern a bundler takes the whole folder. */
function load(): Promise<{ serve(options: ServeOptions): Promise<Server> }> {
  if ("Bun" in globalThis) return import("../../src/local/bun.ts");
  if ("Deno" in globalThis) return import("../../src/local/deno.ts");
  return import("../../src/local/node.ts");
}

export async function serve(options: ServeOptions): Promise<Server> {
  const runtime = await load();
  return runtime.serve(options);
}
