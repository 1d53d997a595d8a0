/** The wire log: every message as it went over the wire; folded, filtered, timed. @module */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId, useMemo, useState } from "preact/hooks";
import { entries, type Entry, type Kind, KINDS } from "../journal.ts";
import { useTail } from "./tail.ts";
import { clock, duration, inLine, LongText, sizeOf } from "./text.tsx";

const search = signal("");
const hidden = signal<ReadonlySet<Kind>>(new Set());
const isUnfolded = signal(false);
/** Rows in the page; the filter looks through all that are kept. */
const MAX_ROWS = 300;
/** How far into a message the filter looks: a few large ones must not make each key stroke wait. */
const SEARCHED = 50_000;

function toggle(kind: Kind): void {
  const next = new Set(hidden.value);
  if (!next.delete(kind)) next.add(kind);
  hidden.value = next;
}

export function Wire(): JSX.Element {
  const id = useId();
  const tail = useTail<HTMLDivElement>(entries.value);
  const wanted = search.value.trim().toLowerCase();
  const shown = entries.value.filter(
    ({ kind, title, raw }) =>
      !hidden.value.has(kind) &&
      (wanted === "" || `${title}\n${raw?.slice(0, SEARCHED) ?? ""}`.toLowerCase().includes(wanted)),
  );
  return (
    <section class="panel wire" aria-labelledby="wire-title">
      <header>
        <h2 id="wire-title">Wire</h2>
        <label class="sr" for={id}>
          Filter the log
        </label>
        <input
          id={id}
          type="search"
          placeholder="Filter"
          value={search.value}
          onInput={({ currentTarget }) => (search.value = currentTarget.value)}
        />
        <button
          type="button"
          class="small"
          aria-pressed={isUnfolded.value}
          onClick={() => (isUnfolded.value = !isUnfolded.value)}
        >
          Unfold all
        </button>
        <button type="button" class="small" id="clear" onClick={() => (entries.value = [])}>
          Clear Log
        </button>
      </header>
      <div class="row kinds" role="group" aria-label="Kinds shown">
        {KINDS.map((kind) => (
          <button
            type="button"
            class={`kind ${kind}`}
            aria-pressed={!hidden.value.has(kind)}
            onClick={() => toggle(kind)}
          >
            {kind}
          </button>
        ))}
      </div>
      <div id="log" role="log" aria-live="off" aria-label="Wire log" tabIndex={0} {...tail}>
        <ol>
          {shown.slice(-MAX_ROWS).map((entry) => (
            <Row key={entry.n} entry={entry} isUnfolded={isUnfolded.value} />
          ))}
        </ol>
      </div>
    </section>
  );
}

function Row({ entry, isUnfolded }: { entry: Entry; isUnfolded: boolean }): JSX.Element {
  const { at, kind, title, raw, ms } = entry;
  const [open, setOpen] = useState<boolean>();
  const isOpen = raw !== undefined && (open ?? isUnfolded);
  const line = (
    <>
      <time>{clock(at)}</time>
      <b>{kind}</b>
      <span class="title">{inLine(title)}</span>
      <span class="muted much">
        {ms !== undefined && duration(ms)}
        {raw !== undefined && raw.length > 10_000 && ` ${sizeOf(raw.length)}`}
      </span>
    </>
  );
  return (
    <li class={kind}>
      {raw === undefined ? (
        <p class="line">{line}</p>
      ) : (
        <button type="button" class="line" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {line}
        </button>
      )}
      {isOpen && raw !== undefined && <Body raw={raw} />}
    </li>
  );
}

/** Above this, a message is shown as it came: to lay it out anew would take as long as all else together. */
const LAID_OUT = 2_000_000;

function Body({ raw }: { raw: string }): JSX.Element {
  const text = useMemo(() => {
    if (raw.length > LAID_OUT) return raw;
    try {
      return JSON.stringify(JSON.parse(raw), null, 2);
    } catch {
      return raw;
    }
  }, [raw]);
  return <LongText text={text} label="Message" json first={20_000} />;
}
