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

/** Hears what a tool throws; returns what its SDK is to make its answer of, where that is not the error itself. */
export type OnThrown = (tool: string | undefined, error: unknown) => Error | undefined;

/** What is not heard yet. */
export interface Unheard {
  /** From now on it is. */
  hear(onThrown: OnThrown): void;
}

const TOOLS_CALL = "tools/call";

/** Of a server that knows its tools by name (`McpServer`). */
function unheardTool(tools: Record<string, Tool>, name: string): Unheard | undefined {
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
  if (!tool) return undefined;
  for (const key of RUNS) {
    const run = tool[key];
    if (typeof run !== "function") continue;
    // Asked first, for each call: all else is looked at once.
    if (heard.has(run as Run)) return undefined;
    // It may have been frozen: then nothing is heard.
    if (Object.getOwnPropertyDescriptor(tool, key)?.writable !== true) return undefined;
    return {
      hear: (onThrown) => void (tool[key] = heardBy(run as Run, (_args, error) => onThrown(name, error))),
    };
  }
  return undefined;
}

/** Of one that has a handler for all (`Server`). */
function unheardHandler(handlers: unknown): Unheard | undefined {
  const run: unknown = handlers instanceof Map ? handlers.get(TOOLS_CALL) : undefined;
  if (typeof run !== "function" || heard.has(run as Run)) return undefined;
  return {
    hear(onThrown) {
      const hear: Hear = (args, error) =>
        isAnswer(error) ? undefined : onThrown(nameIn(args[0] as Parameters<typeof nameIn>[0]), error);
      (handlers as Map<string, Run>).set(TOOLS_CALL, heardBy(run as Run, hear));
    },
  };
}

/** True for an error that is the handler's answer, as for a tool that is not there. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === "number";
}

/** Hears what was thrown over these arguments; returns what is to be thrown instead. */
type Hear = (args: readonly unknown[], error: unknown) => Error | undefined;

function heardBy(run: Run, hear: Hear): Run {
  /** What is to be thrown. */
  const heardOf = (args: readonly unknown[], error: unknown): unknown =>
    isCancelled(args) ? error : (hear(args, error) ?? error);
  const guarded: Run = function (this: unknown, ...args) {
    try {
      const returned = run.apply(this, args);
      if (!isThenable(returned)) return returned;
      return returned.then(undefined, (error: unknown) => {
        throw heardOf(args, error);
      });
    } catch (error) {
      throw heardOf(args, error);
    }
  };
  heard.add(guarded);
  return guarded;
}

/** What runs this tool of the server's, where it is not heard yet: asked for each call, and mostly in vain. */
export function unheard(server: unknown, name: string): Unheard | undefined {
  if (typeof server !== "object" || server === null) return undefined;
  const { _registeredTools: tools, _requestHandlers: handlers } = server as Record<string, unknown>;
  return typeof tools === "object" && tools !== null
    ? unheardTool(tools as Record<string, Tool>, name)
    : unheardHandler(handlers);
}
