/**
 * Options by variables: `HOLDFAST_RETRY_MS` is `retryMs`, and so on. Those that are wrong are named, and so are those
 * that look like ours and are none.
 * @module
 */
import { clientText, messageOf } from "./log-text.ts";
import { eachByText, type HoldfastOptions, OPTIONS } from "./options.ts";
import { didYouMean } from "./setup.ts";

/** Variables by name: the environment of a process, or the bindings of a Worker. */
export type Variables = Readonly<Record<string, unknown>>;

/** What a variable says, without blanks around it; undefined where it is unset or blank. */
export function textOf(env: Variables, variable: string): string | undefined {
  return String(env[variable] ?? "").trim() || undefined;
}

/** The number that a variable says, NaN where it says none; undefined as in {@link textOf}. */
export function numberOf(env: Variables, variable: string): number | undefined {
  const text = textOf(env, variable);
  return text === undefined ? undefined : Number(text);
}

/**
 * Reads options from variables; lists are separated by commas. Variables that are unset or blank are passed over.
 * @throws {RangeError} naming each variable that is wrong: whoever sets them need not start the server for each
 */
export function optionsFromEnv(env: Variables): HoldfastOptions {
  const options: Record<string, unknown> = {};
  const wrong: string[] = [];
  eachByText((name, parse) => {
    const variable = environmentName(name);
    const text = textOf(env, variable);
    if (text === undefined) return;
    try {
      options[name] = parse(text);
    } catch (error) {
      wrong.push(messageOf(error).replaceAll(name, variable));
    }
  });
  if (wrong.length > 0) throw new RangeError(wrong.join("; "));
  return options;
}

/** Options with what the variables say where the code says nothing. @throws as {@link optionsFromEnv} */
export function withVariables<T extends HoldfastOptions>(options: T, env: Variables): T {
  const said = Object.entries(optionsFromEnv(env)) as [keyof T, T[keyof T]][];
  const merged = { ...options };
  for (const [name, value] of said) merged[name] ??= value;
  return merged;
}

/** What programs read, besides the options: `serve` the first two, `createLocalMcp` and `createClusterMcp` the others. */
export const OF_PROGRAMS: readonly string[] = [
  "port",
  "host",
  "db",
  "evictAfterMs",
  "postgres",
  "address",
  "leaseMs",
];

/**
 * The variables that look like ours and are not, each with what may have been meant, as a sentence.
 * Bindings of a Worker, which may be called so too, are passed over, and so is what tools for development set.
 */
export function unknownVariables(env: Variables): string[] {
  const options = [...Object.keys(OPTIONS), ...OF_PROGRAMS];
  const known = options.map(environmentName);
  return Object.entries(env)
    .filter(
      ([name, value]) =>
        /^holdfast_(?!dev_)/i.test(name) && typeof value !== "object" && !known.includes(name),
    )
    .map(([name]) => {
      const meant = didYouMean(name.slice("HOLDFAST_".length), options, environmentName);
      return `${clientText(name)} is no setting${meant}`;
    });
}

/** `retryMs` → `HOLDFAST_RETRY_MS`. */
export function environmentName(option: string): string {
  return `HOLDFAST_${option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
