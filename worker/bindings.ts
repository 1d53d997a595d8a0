/**
 * The Worker's bindings as the options read them, checked each time they are read: what is missing is named, and
 * not by whatever it breaks.
 * @module
 */
import type { EventSink } from "../src/events.ts";
import { messageOf } from "../src/log-text.ts";
import { unknownVariables, type Variables } from "../src/variables.ts";
import { inWords, SetupError } from "../src/setup.ts";
import type { Jurisdiction, ObjectNamespace } from "./platform.ts";

/** Reads a namespace from the Worker's `env`. */
export type ReadNamespace<Env> = (env: Env) => DurableObjectNamespace;

/** What reads the bindings, and who hears of one that is missing. */
export interface BindingsOptions<Env> {
  readonly namespace: (env: Env) => ObjectNamespace;
  readonly hub: ((env: Env) => ObjectNamespace) | undefined;
  readonly jurisdiction: Jurisdiction | undefined;
  /** Where variables that look like settings and are none are told of: with the first request, as the hook may need one. */
  readonly readsVariables: boolean;
  readonly emit: EventSink;
}

/** Each reads, and throws `SetupError` for what is not bound. */
export interface Bindings<Env> {
  readonly namespace: ReadNamespace<Env>;
  readonly hub: ReadNamespace<Env> | undefined;
  /** Whether all that the options read is there. */
  check(env: Env): void;
}

/**
 * Objects are called by methods of theirs. An older Worker would answer each request with 503, as if it were the moment's
 * fault; one that says so as it starts is refused by `wrangler deploy`.
 * @throws {SetupError} where the Worker's compatibility date has no such calls
 */
export function checkCompatibility(): void {
  const { Cloudflare: runtime } = globalThis as {
    Cloudflare?: { compatibilityFlags?: Readonly<Record<string, boolean>> };
  };
  if (runtime?.compatibilityFlags?.["rpc"] !== false) return;
  throw new SetupError(
    "Holdfast needs the compatibility_date 2024-04-03 or later in the Worker's configuration; today's is the best for a new one",
  );
}

/** The readers of the namespaces, each of which checks what it reads. */
export function createBindings<Env extends object>(options: BindingsOptions<Env>): Bindings<Env> {
  const { namespace, hub, jurisdiction, emit } = options;
  let isTold = false;
  let hasLooked = !options.readsVariables;

  const reading =
    (
      option: "namespace" | "hub",
      className: string,
      read: (env: Env) => ObjectNamespace,
    ): ReadNamespace<Env> =>
    (env) => {
      const [bound, fault] = tried(read, env);
      if (fault === undefined)
        return jurisdiction === undefined
          ? bound
          : bound.jurisdiction(jurisdiction as DurableObjectJurisdiction);
      const said = `the binding that \`${option}\` reads is missing: bind the class ${className}`;
      const message =
        `\`${option}(env)\` ${fault}: bind the class ${className} in the Worker's configuration ` +
        `(durable_objects.bindings) under the name that \`${option}\` reads; ` +
        `env has: ${Object.keys(env).join(", ") || "nothing"}`;
      // Each request meets it again.
      if (!isTold) emit("setup.error", { message });
      isTold = true;
      throw new SetupError(said, message);
    };

  const readNamespace = reading("namespace", "McpSession", namespace);
  const readHub = hub && reading("hub", "McpHub", hub);
  return {
    namespace: readNamespace,
    hub: readHub,
    check(env) {
      if (!hasLooked) {
        hasLooked = true;
        for (const message of unknownVariables(env as Variables)) emit("setup.unknown_variable", { message });
      }
      readNamespace(env);
      readHub?.(env);
    },
  };
}

/** What was read, or what is wrong with it. */
function tried<Env>(
  read: (env: Env) => ObjectNamespace,
  env: Env,
): [DurableObjectNamespace, undefined] | [undefined, string] {
  let bound: unknown;
  try {
    bound = read(env);
  } catch (error) {
    return [undefined, `threw (${messageOf(error)})`];
  }
  const { idFromString, constructor: made } = (bound ?? {}) as Partial<DurableObjectNamespace>;
  // Whatever is asked of another Worker's stub is there: a method to be called there.
  if (typeof idFromString === "function" && made?.name !== "Fetcher") {
    return [bound as DurableObjectNamespace, undefined];
  }
  const isBinding = typeof bound === "object" && bound !== null && made !== Object;
  return [undefined, `gave ${isBinding ? `a ${made?.name}` : inWords(bound)}`];
}
