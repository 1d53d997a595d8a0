/** Text of a server's: shown as what it is, whatever is in it, and however long it is. @module */
import type { ComponentChildren, JSX } from "preact";
import { useMemo, useState } from "preact/hooks";

/** Shown at first, and added with each click: a page that lays out ten million characters stands still. */
const FIRST = 4000;
const MORE = 100_000;

/**
 * Characters that cannot be seen, or that change the order of those that can, become their code: `\u{202e}`. Line
 * breaks, tabs and the joiner within emoji stay.
 */
export function visible(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(/[\u2028\u2029]|[^\P{C}\n\t\u200d]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** One line of it, cut. */
export function inLine(text: string, most: number = 200): string {
  const start = visible(text.slice(0, most)).replaceAll(/\s+/g, " ");
  return text.length > most ? `${start}…` : start;
}

export function sizeOf(characters: number): string {
  if (characters < 1000) return `${characters} characters`;
  return characters < 1_000_000
    ? `${(characters / 1000).toFixed(1)} k characters`
    : `${(characters / 1_000_000).toFixed(1)} M characters`;
}

interface LongTextProps {
  readonly text: string;
  readonly label: string;
  readonly json?: boolean;
  readonly first?: number;
}

/** A text that opens piece by piece, and can be had whole as a copy or a file. */
export function LongText({ text, label, json = false, first = FIRST }: LongTextProps): JSX.Element {
  const [shown, setShown] = useState(first);
  const part = useMemo(() => visible(text.slice(0, shown)), [text, shown]);
  const isCut = text.length > shown;
  return (
    <div class="longtext">
      <pre class={json ? "code json" : "code"} tabIndex={0} role="group" aria-label={label}>
        {json && part.length <= MORE ? colours(part) : part}
        {isCut && "…"}
      </pre>
      {(isCut || text.length > 200) && (
        <div class="row small">
          {isCut && (
            <>
              <span class="muted">{sizeOf(text.length)} in all</span>
              <button type="button" class="link" onClick={() => setShown(shown + MORE)}>
                Show more
              </button>
            </>
          )}
          <button type="button" class="link" onClick={() => void copy(text)}>
            Copy
          </button>
          <button type="button" class="link" onClick={() => save(text)}>
            Save
          </button>
        </div>
      )}
    </div>
  );
}

/** JSON, indented. */
export function JsonText({
  value,
  label,
  first,
}: {
  value: unknown;
  label: string;
  first?: number;
}): JSX.Element {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? "undefined", [value]);
  return <LongText text={text} label={label} json {...(first !== undefined && { first })} />;
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** Keys, texts, numbers and words, each in its colour. */
function colours(json: string): ComponentChildren[] {
  const parts: ComponentChildren[] = [];
  let from = 0;
  for (const match of json.matchAll(TOKEN)) {
    const [whole, text, colon, word] = match;
    const kind =
      text === undefined ? (word === undefined ? "num" : "word") : colon === undefined ? "str" : "key";
    const token = text ?? whole;
    parts.push(json.slice(from, match.index), <span class={kind}>{token}</span>);
    from = match.index + token.length;
  }
  parts.push(json.slice(from));
  return parts;
}

async function copy(text: string): Promise<void> {
  // Over plain http from another machine there is no clipboard; the text can be saved then.
  await navigator.clipboard?.writeText(text).catch(() => {});
}

export function save(content: string | Blob, name: string = "holdfast.txt"): void {
  const url = URL.createObjectURL(
    typeof content === "string" ? new Blob([content], { type: "text/plain" }) : content,
  );
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** A moment, to the thousandth: what happens here happens within milliseconds. */
export function clock(at: number): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = ms / 60_000;
  return minutes < 120 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`;
}
