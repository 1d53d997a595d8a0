/** What a person has typed so far, and what it means: numbers and JSON are text until they are whole. @module */
import { isObject } from "../wire/types.ts";
import type { Field } from "./schema.ts";

/**
 * By the field's kind: a text for `text`, `number`, `json`, the option's index as a text for `choice` (empty: none),
 * `"true"`, `"false"` or empty for `boolean`, indices for `choices`, and drafts within `list` and `object`.
 */
export type Draft = string | readonly number[] | readonly Draft[] | { readonly [key: string]: Draft };

/** What a form starts with: the schema's defaults, or this value. */
export function draftOf(field: Field, value: unknown = field.initial): Draft {
  switch (field.kind) {
    case "text":
      return typeof value === "string" ? value : "";
    case "number":
      return typeof value === "number" ? String(value) : "";
    case "boolean":
      return typeof value === "boolean" ? String(value) : "";
    case "choice":
      return indexIn(field.options, value);
    case "choices":
      return Array.isArray(value)
        ? (value as unknown[])
            .map((one) => Number(indexIn(field.options, one) || "-1"))
            .filter((at) => at >= 0)
        : [];
    case "list":
      return Array.isArray(value) ? (value as unknown[]).map((one) => draftOf(field.item, one)) : [];
    case "object": {
      const given = isObject(value) ? value : {};
      // Without a prototype: `__proto__` is a name like any other.
      const draft = Object.create(null) as Record<string, Draft>;
      for (const { key, field: of } of field.properties) {
        draft[key] = draftOf(of, Object.hasOwn(given, key) ? given[key] : of.initial);
      }
      return draft;
    }
    case "json":
      return value === undefined ? "" : JSON.stringify(value, null, 2);
  }
}

function indexIn(options: readonly { value: unknown }[], value: unknown): string {
  const at = options.findIndex((option) => JSON.stringify(option.value) === JSON.stringify(value));
  return at < 0 ? "" : String(at);
}

/** The value, undefined for one that is left out; or what is wrong with it. */
export type Read = { readonly value: unknown } | { readonly problem: string };

/** Reads what was typed as the field's value. */
export function readDraft(field: Field, draft: Draft | undefined, isRequired: boolean): Read {
  const missing: Read = isRequired ? { problem: "is required" } : { value: undefined };
  switch (field.kind) {
    case "text":
      return draft === "" && !isRequired ? missing : { value: draft ?? "" };
    case "number": {
      const text = String(draft ?? "").trim();
      if (text === "") return missing;
      const value = Number(text);
      if (!Number.isFinite(value)) return { problem: "must be a number" };
      if (field.isInteger && !Number.isInteger(value)) return { problem: "must be a whole number" };
      return { value };
    }
    case "boolean":
      return draft === "" || draft === undefined ? missing : { value: draft === "true" };
    case "choice":
      return draft === "" || draft === undefined ? missing : { value: field.options[Number(draft)]?.value };
    case "choices": {
      const chosen = (draft ?? []) as readonly number[];
      if (chosen.length === 0 && !isRequired) return { value: undefined };
      return { value: chosen.map((at) => field.options[at]?.value) };
    }
    case "list": {
      const drafts = (draft ?? []) as readonly Draft[];
      if (drafts.length === 0 && !isRequired) return { value: undefined };
      const read = drafts.map((one) => readDraft(field.item, one, true));
      const at = read.findIndex((one) => "problem" in one);
      const wrong = read[at];
      if (wrong !== undefined && "problem" in wrong) return { problem: `item ${at + 1} ${wrong.problem}` };
      return { value: read.map((one) => ("value" in one ? one.value : undefined)) };
    }
    case "object": {
      const drafts = (draft ?? {}) as Readonly<Record<string, Draft>>;
      const value: [string, unknown][] = [];
      for (const { key, field: of, isRequired: must } of field.properties) {
        const read = readDraft(of, drafts[key], must);
        if ("problem" in read) return { problem: `${key} ${read.problem}`.trim() };
        if (read.value !== undefined) value.push([key, read.value]);
      }
      if (value.length === 0 && !isRequired) return { value: undefined };
      return { value: Object.fromEntries(value) };
    }
    case "json": {
      const text = String(draft ?? "").trim();
      if (text === "") return missing;
      try {
        return { value: JSON.parse(text) as unknown };
      } catch (error) {
        return { problem: `is not JSON: ${error instanceof Error ? error.message : String(error)}` };
      }
    }
  }
}
