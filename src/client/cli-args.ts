/**
 * Words of a command line, or of an answer on a terminal, as the values that a JSON Schema wants.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";

/** What a word is turned into: the part of a JSON Schema that decides it. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
  readonly items?: unknown;
  readonly properties?: JsonObject;
  readonly $ref?: string;
}

/**
 * Turns `name=value` pairs into the arguments of a tool, each by its type in the tool's input schema. A
 * name that the schema does not know is taken as JSON where it is JSON, as text otherwise. The same name
 * again adds to a list, and takes the place of anything else.
 * @throws {TypeError} naming the argument that is not of its type
 */
export function toolArguments(
  pairs: readonly (readonly [string, string])[],
  inputSchema: unknown,
): JsonObject {
  const values = new Map<string, unknown>();
  for (const [name, text] of pairs) {
    const properties = resolved(inputSchema, inputSchema).properties ?? {};
    const schema = Object.hasOwn(properties, name) ? properties[name] : {};
    const value = argument(name, text, { schema, root: inputSchema });
    const before = values.get(name);
    values.set(name, Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value);
  }
  // Defines, where an assignment to `__proto__` would set a prototype.
  return Object.fromEntries(values) as JsonObject;
}

function argument(name: string, text: string, where: { schema: unknown; root: unknown }): unknown {
  try {
    return typed(text, where.schema, where.root);
  } catch (error) {
    throw new TypeError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * The value that `text` stands for in a schema. Text is text where the schema takes nothing else.
 * @param root what `$ref` is looked up in
 * @throws {TypeError} saying what is wanted instead
 */
export function typed(text: string, schema: unknown, root: unknown = schema): unknown {
  const choices = choicesOf(schema, root);
  if (choices !== undefined) {
    const chosen = choices.find(
      (choice) => (typeof choice === "string" ? choice : JSON.stringify(choice)) === text,
    );
    if (chosen !== undefined) return chosen;
    throw new TypeError(`one of ${choices.map(String).join(", ")}, not ${JSON.stringify(text)}`);
  }
  const types = typesOf(schema, root);
  const takes = (type: string): boolean => types === undefined || types.has(type);
  if (types?.size === 1 && takes("string")) return text;
  const value = json(text);
  if (value !== undefined && kindsOf(value).some(takes)) return value;
  if (takes("string")) return text;
  // `--tool-arg tag=a` is a list of one.
  if (types?.has("array") && (value === undefined || kindsOf(value)[0] !== "object"))
    return [typed(text, resolved(schema, root).items ?? {}, root)];
  throw new TypeError(`${[...(types ?? [])].join(" or ")}, not ${JSON.stringify(text)}`);
}

/** The values that a schema names; undefined where it names none. */
export function choicesOf(schema: unknown, root: unknown): readonly unknown[] | undefined {
  const { enum: values, const: value, anyOf, oneOf } = resolved(schema, root);
  if (values !== undefined) return values;
  if (value !== undefined) return [value];
  const all = (anyOf ?? oneOf)?.map((part) => choicesOf(part, root));
  return all !== undefined && all.length > 0 && all.every((part) => part !== undefined)
    ? all.flat()
    : undefined;
}

/** The JSON types that a schema takes; undefined where it takes all. */
function typesOf(schema: unknown, root: unknown): Set<string> | undefined {
  const { type, anyOf, oneOf } = resolved(schema, root);
  if (type !== undefined) return new Set([type].flat());
  const parts = (anyOf ?? oneOf)?.map((part) => typesOf(part, root));
  if (parts === undefined || parts.some((part) => part === undefined)) return undefined;
  return new Set(parts.flatMap((part) => [...(part ?? [])]));
}

/** A schema, or what its `$ref` into the same document leads to. */
function resolved(schema: unknown, root: unknown): Schema {
  let at = schema;
  // Bounded: a reference may lead to itself.
  for (let steps = 0; steps < 16; steps++) {
    const reference = (at as Schema | undefined)?.$ref;
    if (typeof reference !== "string" || !reference.startsWith("#/")) break;
    at = reference
      .slice(2)
      .split("/")
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce<unknown>((value, part) => (value as JsonObject | undefined)?.[part], root);
  }
  return typeof at === "object" && at !== null ? at : {};
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The JSON types that a value is of. */
function kindsOf(value: unknown): string[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  if (typeof value === "number") return Number.isInteger(value) ? ["integer", "number"] : ["number"];
  return [typeof value];
}
