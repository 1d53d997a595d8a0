/** The session's life: its streams over time, what happened to them, and the buttons that make something happen. @module */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { lanes, type Mark, type MarkKind, marks } from "../journal.ts";
import {
  canBurst,
  cut,
  disconnect,
  era,
  isOn,
  restartServer,
  restartUrl,
  resume,
  sendEvents,
  sessionId,
  status,
} from "../store.ts";
import { Chart, Windows } from "./chart.tsx";
import { useTail } from "./tail.ts";
import { clock, inLine } from "./text.tsx";

/** The event to come back to, where it is not the last one. */
const from = signal("");

/** What a kind of moment is called, and its sign, which says the same without the colour. */
export const SIGNS: Readonly<Record<MarkKind, string>> = {
  open: "○",
  call: "→",
  event: "•",
  answer: "✓",
  drop: "×",
  redial: "…",
  resume: "▶",
  gap: "!",
  cut: "✂",
  deploy: "◆",
  cancel: "∅",
  error: "!",
  end: "■",
};

export function Life(): JSX.Element {
  const id = useId();
  const canResume = era.value.transport !== "stateless";
  return (
    <section class="panel life" aria-labelledby="life-title">
      <header>
        <h2 id="life-title">Session</h2>
        {sessionId.value !== undefined && (
          <code class="session" title={sessionId.value}>
            {sessionId.value.slice(0, 12)}…
          </code>
        )}
        <Sums />
      </header>
      <div class="row tools">
        <button type="button" disabled={!isOn.value || status.value === "Cut"} onClick={cut}>
          Cut the connection
        </button>
        <button
          type="button"
          disabled={!isOn.value || (from.value === "" && status.value !== "Cut")}
          onClick={() => {
            resume(from.value.trim());
            from.value = "";
          }}
        >
          Resume from here
        </button>
        {canResume && (
          <>
            <label class="sr" for={id}>
              Event to resume from
            </label>
            <input
              id={id}
              class="mono from"
              placeholder="last event"
              autocomplete="off"
              spellcheck={false}
              disabled={!isOn.value}
              value={from.value}
              onInput={({ currentTarget }) => (from.value = currentTarget.value)}
            />
          </>
        )}
        <button
          type="button"
          disabled={status.value !== "Connected" || !canBurst.value}
          onClick={() => void sendEvents()}
        >
          Send 100 events
        </button>
        <button type="button" disabled={!isOn.value} onClick={() => void disconnect()}>
          End the session
        </button>
        {restartUrl !== undefined && (
          <button type="button" class="warn" onClick={() => void restartServer()}>
            Restart the server
          </button>
        )}
        <Windows />
      </div>
      <Chart />
      <Moments />
    </section>
  );
}

/** What all the streams of the session have carried. */
function Sums(): JSX.Element | null {
  const all = lanes.value;
  if (all.length === 0) return null;
  const sum = (of: "events" | "lost" | "doubled"): number => all.reduce((total, lane) => total + lane[of], 0);
  const lost = sum("lost");
  const doubled = sum("doubled");
  return (
    <p class="sums">
      <span>{sum("events")} events</span>
      <span class={lost > 0 ? "tag bad" : "tag good"}>{lost} lost</span>
      <span class={doubled > 0 ? "tag bad" : "tag good"}>{doubled} doubled</span>
    </p>
  );
}

function Moments(): JSX.Element {
  const all = marks.value;
  const tail = useTail<HTMLOListElement>(all);
  const titles = new Map(lanes.value.map(({ n, title }) => [n, title]));
  return (
    <ol id="timeline" class="moments" aria-label="Timeline" tabIndex={0} {...tail}>
      {all.length === 0 && <li class="empty">Nothing has happened yet.</li>}
      {all.map((one) => (
        <Moment key={one.n} moment={one} lane={one.lane === undefined ? undefined : titles.get(one.lane)} />
      ))}
    </ol>
  );
}

function Moment({ moment, lane }: { moment: Mark; lane: string | undefined }): JSX.Element {
  const { at, kind, text, eventId, count } = moment;
  const isPlace = kind === "event" && eventId !== undefined;
  return (
    <li class={kind}>
      <time>{clock(at)}</time>
      <span class="sign" aria-hidden="true">
        {SIGNS[kind]}
      </span>
      <span class="what">
        <b>{kind}</b> {count > 1 && <span class="count">×{count}</span>} {inLine(text, 160)}
        {lane !== undefined && !text.startsWith(lane) && <span class="muted"> · {inLine(lane, 40)}</span>}
      </span>
      {isPlace && (
        <button
          type="button"
          class="link id"
          title="Take as the event to resume from"
          aria-label={`Resume from event ${inLine(eventId, 60)}`}
          onClick={() => (from.value = eventId)}
        >
          {inLine(eventId.length > 24 ? `…${eventId.slice(-22)}` : eventId, 40)}
        </button>
      )}
    </li>
  );
}
