/**
 * Hears what tools throw. The SDKs make a result of it that says the message, and forget the rest: where a tool
 * fails for a reason that its author did not foresee, nobody would learn where.
 *
 * They have no hook for it. So the function that runs a tool is looked for where they keep it, under the names that it
 * has had (v1.20 to 2.4), as it is called; of a server that keeps its tools elsewhere nothing is heard.
 * @module
 */
import { isThenable } from "../../guard.ts";

type Run = (...args: unknown[]) => unknown;
type Tool = Record<string, unknown>;

/** The function that runs a tool: of v2, of v1 since 1.25, of v1 before. */
const RUNS = ["executor", "handler", "callback"] as const;

/** Functions that are heard. */
const heard = new WeakSet<Run>();

/** True where the call has been cancelled: what its tool throws then is how it stops. */
function isCancelled(args: readonly unknown[]): boolean {
  const context = args.at(-1) as { signal?: AbortSignal; mcpReq?: { signal?: AbortSignal } } | undefined;
  return (context?.mcpReq?.signal ?? context?.signal)?.aborted === true;
}

/** Has `onThrown` hear what this tool of the server's throws from now on; what comes of it stays as it is. */
export function hearThrows(
  server: unknown,
  name: string,
  onThrown: (tool: string, error: unknown) => void,
): void {
  const tools = (server as { _registeredTools?: unknown } | undefined)?._registeredTools;
  if (typeof tools !== "object" || tools === null || !Object.hasOwn(tools, name)) return;
  const tool = (tools as Record<string, Tool>)[name];
  if (typeof tool !== "object" || tool === null) return;
  const kept = RUNS.find((key) => typeof tool[key] === "function");
  if (kept === undefined) return;
  const run = tool[kept] as Run;
  if (heard.has(run)) return;
  const hear = (args: readonly unknown[], error: unknown): void => {
    if (!isCancelled(args)) onThrown(name, error);
  };
  const guarded: Run = function (this: unknown, ...args) {
    try {
      const returned = run.apply(this, args);
      if (isThenable(returned)) returned.then(undefined, (error: unknown) => hear(args, error));
      return returned;
    } catch (error) {
      hear(args, error);
      throw error;
    }
  };
  heard.add(guarded);
  // A server may have frozen it: then nothing is heard.
  if (Object.getOwnPropertyDescriptor(tool, kept)?.writable === true) tool[kept] = guarded;
}
