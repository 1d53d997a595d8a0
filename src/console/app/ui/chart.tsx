/**
 * The streams of the session side by side over the last minutes: connected, away, cut, and what happened when. For the
 * eye: the list under it says the same in words.
 * @module
 */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { type Lane, lanes, type Mark, marks } from "../journal.ts";
import { now } from "./now.ts";
import { inLine } from "./text.tsx";

/** Milliseconds; 0: since the session began. */
const WINDOWS: readonly (readonly [ms: number, label: string])[] = [
  [30_000, "30 s"],
  [180_000, "3 min"],
  [0, "All"],
];
const MAX_ROWS = 6;

const span = signal(30_000);

/** How much of the time is shown. */
export function Windows(): JSX.Element {
  return (
    <div class="segments small" role="group" aria-label="Time shown">
      {WINDOWS.map(([ms, label]) => (
        <button type="button" aria-pressed={span.value === ms} onClick={() => (span.value = ms)}>
          {label}
        </button>
      ))}
    </div>
  );
}

export function Chart(): JSX.Element | null {
  const all = lanes.value;
  if (all.length === 0) return null;
  const first = all.reduce((least, { stretches: [one] }) => Math.min(least, one?.from ?? least), now.value);
  const end = Math.max(now.value, marks.value.at(-1)?.until ?? 0);
  const start = span.value === 0 ? first : end - span.value;
  const place = (at: number): number => (Math.max(at, start) - start) / Math.max(end - start, 1);
  const isSeen = ({ stretches }: Lane): boolean => {
    const last = stretches.at(-1);
    return last !== undefined && (last.to ?? end) >= start;
  };
  const seen = all.filter(isSeen);
  // The streams that last come first, the calls after them, newest last.
  const standing = seen.filter(({ stands }) => stands).slice(0, MAX_ROWS - 1);
  const rows = [...standing, ...seen.filter(({ stands }) => !stands).slice(standing.length - MAX_ROWS)];
  const recent = marks.value.filter(({ until }) => until >= start);
  return (
    <div class="chart">
      <div aria-hidden="true" class="rows">
        {rows.map((lane) => (
          <Row
            key={lane.n}
            lane={lane}
            end={end}
            place={place}
            marks={recent.filter((mark) => mark.lane === lane.n)}
          />
        ))}
        {recent
          .filter(({ kind }) => kind === "deploy")
          .map(({ n, at, text }) => (
            <div class="overlay" key={n}>
              <i class="deploy" title={text} style={{ left: `${place(at) * 100}%` }} />
            </div>
          ))}
      </div>
    </div>
  );
}

interface RowProps {
  readonly lane: Lane;
  readonly end: number;
  readonly place: (at: number) => number;
  readonly marks: readonly Mark[];
}

/** Few enough to be drawn; a burst of events is one anyway. */
const MAX_MARKS = 60;

function Row({ lane, end, place, marks }: RowProps): JSX.Element {
  return (
    <div class="lane">
      <span class="title">{inLine(lane.title, 26)}</span>
      <span class="track">
        {lane.stretches.map(({ from, to, state }) => {
          const left = place(from);
          const right = place(to ?? end);
          if (right <= 0) return null;
          return (
            <i
              class={`stretch ${state}`}
              style={{ left: `${left * 100}%`, width: `${(right - left) * 100}%` }}
            />
          );
        })}
        {marks.slice(-MAX_MARKS).map(({ n, kind, at, until, text }) => (
          <i
            key={n}
            class={`at ${kind}`}
            title={inLine(text, 80)}
            style={{ left: `${place(at) * 100}%`, width: `${(place(until) - place(at)) * 100}%` }}
          />
        ))}
      </span>
    </div>
  );
}
