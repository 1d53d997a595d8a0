/**
 * What a server is built from, checked where it is built: a mistake is named there, with what to do, and not by
 * whatever it breaks later.
 * @module
 */

/** What an option must be, in words; whether a value is that; and whether it must be given. */
export type Kind = readonly [must: string, fits: (value: unknown) => boolean, isNeeded?: true];

/** Options by name. */
export type Kinds = Readonly<Record<string, Kind>>;

const ofType = (type: string): Kind => [`a ${type}`, (value) => typeof value === type];

/** An object, or a class's instance, that has this method. */
export const having = (method: string, must: string): Kind => [
  must,
  (value) => typeof (value as Record<string, unknown> | null)?.[method] === "function",
];

/** Any function: what it returns is checked as it is called. */
export const FUNCTION: Kind = ofType("function");
/** Any string, the empty one too. */
export const STRING: Kind = ofType("string");
/** `true` or `false`, and nothing that only counts as one of them. */
export const BOOLEAN: Kind = ofType("boolean");
/** The same, where nothing goes without it. */
export const needed = ([must, fits]: Kind): Kind => [must, fits, true];
/** Whatever the user makes of it, or what is checked elsewhere. */
export const ANYTHING: Kind = ["", () => true];
/** A list of strings, which may be empty. */
export const STRINGS: Kind = [
  "a list of strings",
  (value) => Array.isArray(value) && value.every((each) => typeof each === "string"),
];

/** Either of these. */
export const either = ([one, fitsOne]: Kind, [other, fitsOther]: Kind): Kind => [
  `${one}, or ${other}`,
  (value) => fitsOne(value) || fitsOther(value),
];

/**
 * The server as it is set up cannot work, now or later. The message tells the operator all that is wrong, bindings by
 * their names; `said` is what anybody may hear.
 */
export class SetupError extends Error {
  readonly said: string;

  constructor(said: string, message: string = said) {
    super(message);
    this.name = "SetupError";
    this.said = said;
  }
}

/**
 * Checks the values that are given under these names. Undefined counts as not given.
 * @throws {TypeError} naming the option that is of another kind; never its value, which may be a secret
 */
export function checkKinds(given: object, kinds: Kinds): void {
  for (const name in kinds) {
    const value = (given as Record<string, unknown>)[name];
    const [must, fits] = kinds[name] as Kind;
    if (value !== undefined && !fits(value)) {
      throw new TypeError(`${name} must be ${must}, not ${inWords(value)}`);
    }
  }
}

/**
 * Checks all that a function of ours was given: each name known, each value of its kind, nothing missing.
 * @param where the function's name
 * @throws {TypeError} naming the option that is wrong, and the one that was meant
 */
export function checkGiven(where: string, given: unknown, kinds: Kinds): void {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`${where} must be given an object of options, not ${inWords(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(kinds, name)) {
      throw new TypeError(`${where} has no option ${name}${didYouMean(name, Object.keys(kinds))}`);
    }
  }
  checkKinds(given, kinds);
  for (const name in kinds) {
    const [must, , isNeeded] = kinds[name] as Kind;
    if (isNeeded === true && (given as Record<string, unknown>)[name] === undefined) {
      throw new TypeError(`${where} needs the option ${name}: ${must}`);
    }
  }
}

/** What a value is, without what it holds. */
export function inWords(value: unknown): string {
  if (value === null || ["undefined", "boolean", "number"].includes(typeof value)) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** @throws {TypeError} for what cannot be connected, saying what to do */
export function checkServer(server: unknown): void {
  if (having("connect", "")[1](server)) return;
  const hints: Record<string, string> = { undefined: " (forgot `return`?)", function: " (forgot `new`?)" };
  const given = typeof server === "object" && server !== null ? "an object without connect" : String(server);
  throw new TypeError(
    `createServer returned ${typeof server === "function" ? "a function" : given}: ` +
      `it must return an MCP server, with connect(transport)${hints[typeof server] ?? ""}`,
  );
}

/**
 * True where what a factory threw will be thrown the next time as well: a fault of the code, and not of the moment.
 * `fetch` throws a TypeError for a network that fails, which Node gives a cause.
 */
export function isPermanent(error: unknown): boolean {
  if (error instanceof SetupError || error instanceof ReferenceError) return true;
  if (!(error instanceof TypeError) || error.cause !== undefined) return false;
  return !/^(error sending request|failed to fetch|fetch failed|network)/i.test(error.message);
}

/**
 * `; did you mean …?`, where one of the names that there are is near to what was written.
 * @param shown how the name is written there
 */
export function didYouMean(
  written: string,
  names: readonly string[],
  shown: (name: string) => string = (name) => name,
): string {
  const meant = nearest(written, names);
  return meant === undefined ? "" : `; did you mean ${shown(meant)}?`;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The nearest name: the same but for case and underscores, one that goes on (`ttl`, `ttlMs`), or at most a third of its letters away. */
function nearest(written: string, names: readonly string[]): string | undefined {
  const word = plain(written);
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  let best: string | undefined;
  for (const name of names) {
    const other = plain(name);
    const goesOn = word.length > 2 && other.startsWith(word);
    const distance = goesOn ? Math.min(1, other.length - word.length) : editsBetween(word, other);
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  return best;
}

/** Letters to add, drop or change between two words (Levenshtein). */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 0; i < one.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j++) {
      const change = (row[j] ?? 0) + (one[i] === other[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
