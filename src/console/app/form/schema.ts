/** What a JSON Schema asks for, as far as a form can ask a person: the rest is asked for as JSON. @module */
import { isObject, type Json, objectsIn, textIn } from "../wire/types.ts";

/** One of the values to choose from. */
export interface Option {
  readonly label: string;
  readonly value: unknown;
}

/** One member of an object. */
export interface Property {
  readonly key: string;
  readonly field: Field;
  readonly isRequired: boolean;
}

interface About {
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly initial: unknown;
}

/** What a form asks for, by its kind; `initial` is the schema's default. */
export type Field = About &
  (
    | {
        readonly kind: "text";
        readonly format: string | undefined;
        readonly minLength: number | undefined;
        readonly maxLength: number | undefined;
        readonly pattern: string | undefined;
      }
    | {
        readonly kind: "number";
        readonly isInteger: boolean;
        readonly minimum: number | undefined;
        readonly maximum: number | undefined;
      }
    | { readonly kind: "boolean" }
    | { readonly kind: "choice"; readonly options: readonly Option[] }
    | { readonly kind: "choices"; readonly options: readonly Option[] }
    | { readonly kind: "list"; readonly item: Field }
    | { readonly kind: "object"; readonly properties: readonly Property[] }
    | { readonly kind: "json" }
  );

/** Schemas refer to themselves, and servers say what they like. */
const MAX_DEPTH = 6;
const MAX_PROPERTIES = 200;
const MAX_OPTIONS = 1000;

/** Reads a schema. `root` is where its references lead. */
export function fieldOf(schema: unknown, root: unknown = schema, depth: number = 0): Field {
  const said = resolve(schema, root);
  const about = {
    title: textIn(said["title"]),
    description: textIn(said["description"]),
    initial: said["default"],
  };
  if (depth > MAX_DEPTH) return { ...about, kind: "json" };
  const options = optionsIn(said);
  if (options !== undefined) return { ...about, kind: "choice", options };
  const type = typeIn(said);
  if (type === "string") {
    return {
      ...about,
      kind: "text",
      format: textIn(said["format"]),
      minLength: numberIn(said["minLength"]),
      maxLength: numberIn(said["maxLength"]),
      pattern: textIn(said["pattern"]),
    };
  }
  if (type === "number" || type === "integer") {
    return {
      ...about,
      kind: "number",
      isInteger: type === "integer",
      minimum: numberIn(said["minimum"]),
      maximum: numberIn(said["maximum"]),
    };
  }
  if (type === "boolean") return { ...about, kind: "boolean" };
  if (type === "array" && isObject(said["items"])) {
    const among = optionsIn(resolve(said["items"], root));
    if (among !== undefined) return { ...about, kind: "choices", options: among };
    return { ...about, kind: "list", item: fieldOf(said["items"], root, depth + 1) };
  }
  if (type === "object" && isObject(said["properties"])) {
    const required = Array.isArray(said["required"]) ? (said["required"] as unknown[]) : [];
    const properties = Object.entries(said["properties"])
      .slice(0, MAX_PROPERTIES)
      .map(([key, property]) => ({
        key,
        field: fieldOf(property, root, depth + 1),
        isRequired: required.includes(key),
      }));
    return { ...about, kind: "object", properties };
  }
  return { ...about, kind: "json" };
}

/** Follows `$ref` within the schema, by pointer or by anchor. */
function resolve(schema: unknown, root: unknown): Json {
  let said = isObject(schema) ? schema : {};
  for (let hops = 0; hops < 10; hops++) {
    const ref = textIn(said["$ref"]);
    if (ref === undefined) return said;
    const { $ref: _, ...beside } = said;
    said = { ...targetOf(ref, root), ...beside };
  }
  return {};
}

function targetOf(ref: string, root: unknown): Json {
  if (!ref.startsWith("#")) return {};
  if (ref !== "#" && !ref.startsWith("#/")) {
    const definitions = isObject(root) && isObject(root["$defs"]) ? Object.values(root["$defs"]) : [];
    return objectsIn(definitions).find((one) => one["$anchor"] === ref.slice(1)) ?? {};
  }
  let at: unknown = root;
  for (const step of ref.split("/").slice(1)) {
    const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return isObject(at) ? at : {};
}

/** The values to choose from, where the schema names all of them. */
function optionsIn(schema: Json): readonly Option[] | undefined {
  if (Array.isArray(schema["enum"])) {
    const names = Array.isArray(schema["enumNames"]) ? (schema["enumNames"] as unknown[]) : [];
    return (schema["enum"] as unknown[])
      .slice(0, MAX_OPTIONS)
      .map((value, at) => ({ value, label: textIn(names[at]) ?? labelOf(value) }));
  }
  if (Object.hasOwn(schema, "const")) return [{ value: schema["const"], label: labelOf(schema["const"]) }];
  for (const member of ["oneOf", "anyOf"]) {
    const among = objectsIn(schema[member]).slice(0, MAX_OPTIONS);
    if (among.length > 0 && among.every((one) => Object.hasOwn(one, "const"))) {
      return among.map((one) => ({
        value: one["const"],
        label: textIn(one["title"]) ?? labelOf(one["const"]),
      }));
    }
  }
  return undefined;
}

const labelOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** The one type that is asked for; `null` beside it only says that it may be left out. */
function typeIn(schema: Json): string | undefined {
  const { type } = schema;
  if (Array.isArray(type)) {
    const others = (type as unknown[]).filter((one) => one !== "null");
    return others.length === 1 ? textIn(others[0]) : undefined;
  }
  if (type === undefined && isObject(schema["properties"])) return "object";
  return textIn(type);
}

function numberIn(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
