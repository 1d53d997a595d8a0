/**
 * What a server says of its own refusal, in the body of an answer that is no success.
 * @module
 */
import { sleep } from "./backoff.ts";
import { parse, readText } from "./wire.ts";

/** As much of a body as is read, in characters, and as long as is waited for it, in milliseconds. */
const MOST_READ = 16_384;
const MOST_MS = 1000;
/** As much of it as is shown, in characters. */
const MOST_SHOWN = 256;

/**
 * The message of a JSON-RPC or OAuth error, of a problem document (RFC 9457), or a line of plain text;
 * undefined where there is none, or none that is worth a line (a page of HTML). Reads a copy: the
 * response stays whole for others.
 */
export async function saidBy(answer: Response): Promise<string | undefined> {
  if (answer.body === null || /html/i.test(answer.headers.get("content-type") ?? "")) return undefined;
  const reader = readText(answer.clone().body as ReadableStream);
  let text = "";
  const read = async (): Promise<void> => {
    for (let next; text.length < MOST_READ && !(next = await reader.read()).done;) text += next.value;
  };
  const late = new AbortController();
  await Promise.race([read().catch(() => undefined), sleep(MOST_MS, late.signal)]);
  late.abort();
  // Nobody waits for the rest, and no unread copy piles up behind a reader of the original.
  reader.cancel().catch(() => undefined);
  // `404 Not Found`: whoever shows it has said the number.
  const said = messageIn(text)
    ?.trim()
    .replace(new RegExp(`^${answer.status}\\b[\\s:]*`), "");
  return said === undefined || said === "" ? undefined : shortened(said);
}

/** One line of at most 256 characters. */
export const shortened = (text: string): string => {
  const line = text.replace(/\s+/g, " ");
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}…` : line;
};

function messageIn(text: string): string | undefined {
  const [body] = parse(text);
  if (typeof body === "string") return body;
  if (typeof body !== "object" || body === null) return /^\s*[{[<]/.test(text) ? undefined : text;
  const { error, ...rest } = body as Record<string, unknown>;
  const of = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : rest;
  return [of["message"], of["error_description"], of["detail"], of["title"], error].find(
    (value): value is string => typeof value === "string",
  );
}
