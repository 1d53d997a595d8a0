/**
 * Hears what tools throw. The SDKs make a result of it that says the message, and forget the rest: where a tool
 * fails for a reason that its author did not foresee, nobody would learn where.
 *
 * They have no hook for it. So the function that runs a tool is looked for where they keep it, under the names that it
 * has had (v1.20 to 2.4), as it is called; of a server that keeps its tools elsewhere nothing is heard. There too another
 * error can be put in the place of one that its client is not to see (`toolErrors`).
 * @module
 */
import { isThenable } from "../../guard.ts";
import { nameIn } from "../../watch.ts";

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

/** The function where it is kept, so that another can be put in its place. */
interface Kept {
  readonly run: Run;
  put(run: Run): void;
}

/** Of a server that knows its tools by name (`McpServer`). */
function ofTool(tools: object, name: string): Kept | undefined {
  const tool = Object.hasOwn(tools, name) ? (tools as Record<string, Tool>)[name] : undefined;
  const key = tool ? RUNS.find((each) => typeof tool[each] === "function") : undefined;
  // It may have been frozen: then nothing is heard.
  if (key === undefined || Object.getOwnPropertyDescriptor(tool, key)?.writable !== true) return undefined;
  return { run: tool?.[key] as Run, put: (run) => void ((tool as Tool)[key] = run) };
}

/** Of one that has a handler for all (`Server`). */
function ofHandlers(handlers: unknown): Kept | undefined {
  const run: unknown = handlers instanceof Map ? handlers.get(TOOLS_CALL) : undefined;
  if (typeof run !== "function") return undefined;
  return { run: run as Run, put: (guarded) => void (handlers as Map<string, Run>).set(TOOLS_CALL, guarded) };
}

const TOOLS_CALL = "tools/call";

/** True for an error that is the handler's answer, as for a tool that is not there. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === "number";
}

/** Hears what a tool throws; returns what its SDK is to make its answer of, where that is not the error itself. */
export type OnThrown = (tool: string | undefined, error: unknown) => Error | undefined;

/** Has `onThrown` hear what this tool of the server's throws from now on. */
export function hearThrows(server: unknown, name: string, onThrown: OnThrown): void {
  if (typeof server !== "object" || server === null) return;
  const { _registeredTools: tools, _requestHandlers: handlers } = server as Record<string, unknown>;
  const knowsTools = typeof tools === "object" && tools !== null;
  const kept = knowsTools ? ofTool(tools, name) : ofHandlers(handlers);
  if (kept === undefined || heard.has(kept.run)) return;
  const { run } = kept;
  /** Returns what is to be thrown. */
  const hear = (args: readonly unknown[], error: unknown): unknown => {
    if (isCancelled(args) || (!knowsTools && isAnswer(error))) return error;
    return onThrown(knowsTools ? name : nameIn(args[0] as Parameters<typeof nameIn>[0]), error) ?? error;
  };
  const guarded: Run = function (this: unknown, ...args) {
    try {
      const returned = run.apply(this, args);
      if (!isThenable(returned)) return returned;
      return returned.then(undefined, (error: unknown) => {
        throw hear(args, error);
      });
    } catch (error) {
      throw hear(args, error);
    }
  };
  heard.add(guarded);
  kept.put(guarded);
}
