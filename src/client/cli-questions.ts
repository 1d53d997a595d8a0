/**
 * Elicitations on a terminal: what a server asks of its user, asked there, one question at a time.
 * Nothing is sent that the user was not asked for, and no address is opened for him.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import { choicesOf, typed } from "./cli-args.ts";
import { printable } from "./cli-report.ts";
import type { Elicitation, Elicited } from "./cli-sdk.ts";

/** Shows a question and reads the line that answers it; undefined where there is no more input, or nobody waits. */
export type Ask = (question: string, signal: AbortSignal) => Promise<string | undefined>;

interface Field {
  readonly name: string;
  readonly schema: JsonObject;
  readonly required: boolean;
}

const CANCELLED: Elicited = { action: "cancel" };

/** @returns what answers `elicitation/create` of a server */
export function answering(ask: Ask, signal: AbortSignal): (asked: Elicitation) => Promise<Elicited> {
  let before: Promise<unknown> = Promise.resolve();
  return (asked) => {
    const answer = before.then(() => elicit(asked, ask, signal));
    before = answer.catch(() => undefined);
    return answer;
  };
}

async function elicit(asked: Elicitation, ask: Ask, signal: AbortSignal): Promise<Elicited> {
  const { message, mode = "form", requestedSchema = {}, url } = asked;
  const say = (text: string): Promise<string | undefined> => ask(text, signal);
  const what =
    mode === "url" ? `\n  ${printable(url ?? "")}\nOpen it yourself if you trust it. Done?` : " Answer it?";
  const consent = await say(`The server asks: ${printable(message)}${what} [Y]es, [n]o, [c]ancel: `);
  if (consent === undefined || /^c/i.test(consent.trim())) return CANCELLED;
  if (!/^(y|$)/i.test(consent.trim())) return { action: "decline" };
  if (mode === "url") return { action: "accept" };
  const content = new Map<string, unknown>();
  for (const [name, schema] of Object.entries(requestedSchema.properties ?? {})) {
    const required = requestedSchema.required?.includes(name) ?? false;
    const value = await fieldValue({ name, schema: schema as JsonObject, required }, say);
    if (value === CANCELLED) return CANCELLED;
    if (value !== undefined) content.set(name, value);
  }
  return { action: "accept", content: Object.fromEntries(content) as JsonObject };
}

/** Asks until the answer is one that the schema takes; an empty line is the default, or leaves an optional one out. */
async function fieldValue(
  { name, schema, required }: Field,
  say: (text: string) => Promise<string | undefined>,
): Promise<unknown> {
  const { title, description, type, default: byDefault } = schema;
  const choices = choicesOf(schema, schema) ?? choicesOf(schema["items"], schema);
  const kind = choices === undefined ? String(type ?? "text") : choices.map(String).join(" | ");
  const notes = [
    ...(choices !== undefined && type === "array" ? ["one or more, separated by commas"] : []),
    ...(byDefault === undefined ? (required ? [] : ["optional"]) : [`default ${JSON.stringify(byDefault)}`]),
  ];
  const about = typeof description === "string" ? `, ${description}` : "";
  const note = notes.length === 0 ? "" : `, ${notes.join(", ")}`;
  const question = printable(`  ${typeof title === "string" ? title : name}${about} (${kind}${note}): `);
  for (;;) {
    const text = await say(question);
    if (text === undefined) return CANCELLED;
    if (text === "" && byDefault !== undefined) return byDefault;
    if (text === "" && !required) return undefined;
    try {
      return valueOf(text, schema);
    } catch (error) {
      if ((await say(`  Wanted: ${printable((error as Error).message)}. Enter to try again: `)) === undefined)
        return CANCELLED;
    }
  }
}

function valueOf(text: string, schema: JsonObject): unknown {
  if (schema["type"] === "boolean" && /^(y|yes|n|no)$/i.test(text)) return /^y/i.test(text);
  if (schema["type"] !== "array") return typed(text, schema);
  return text.split(",").map((part) => typed(part.trim(), schema["items"]));
}
