/** One call: what it was, how far it is, what came of it. @module */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Call } from "../store.ts";
import type { Outcome } from "../wire/types.ts";
import { now } from "./now.ts";
import { OutcomeView } from "./result.tsx";
import { clock, duration, inLine } from "./text.tsx";

/** In a word, and in the colour for it. */
export function wordFor(outcome: Outcome | undefined): readonly [word: string, tone: string] {
  if (outcome === undefined) return ["running", "busy"];
  if (outcome.type === "result")
    return outcome.result["isError"] === true ? ["tool error", "bad"] : ["ok", "good"];
  if (outcome.type === "cancelled") return ["cancelled", "muted"];
  return [outcome.type === "lost" ? "no answer" : "error", "bad"];
}

export function CallCard({ call, isOpen }: { call: Call; isOpen: boolean }): JSX.Element {
  const { title, at, endedAt, progress, task, outcome } = call;
  const [open, setOpen] = useState<boolean>();
  const [word, tone] = wordFor(outcome);
  const took = duration((endedAt ?? now.value) - at);
  const isShown = open ?? isOpen;
  return (
    <article class="call" data-call={call.n}>
      <header>
        <button type="button" class="fold" aria-expanded={isShown} onClick={() => setOpen(!isShown)}>
          <span class={`tag ${tone}`}>{word}</span>
          <span class="name">{inLine(title, 80)}</span>
          <span class="muted when">
            {clock(at).slice(0, 8)} · {took}
          </span>
        </button>
        {outcome === undefined && (
          <button type="button" class="small" onClick={call.cancel}>
            Cancel call
          </button>
        )}
      </header>
      {outcome === undefined && (progress !== undefined || task !== undefined) && (
        <div class="doing">
          {progress !== undefined && (
            <>
              <progress
                aria-label={`Progress of ${title}`}
                {...(progress.total !== undefined && { max: progress.total, value: progress.progress })}
              />
              <span class="muted">
                {progress.progress}
                {progress.total !== undefined && ` of ${progress.total}`}{" "}
                {inLine(progress.message ?? "", 200)}
              </span>
            </>
          )}
          {task !== undefined && (
            <p>
              Task <code>{inLine(task.id, 60)}</code> <span class="tag busy">{inLine(task.status, 40)}</span>{" "}
              <span class="muted">{inLine(task.message ?? "", 200)}</span>
            </p>
          )}
        </div>
      )}
      {isShown && outcome !== undefined && (
        <div class="outcome">
          <OutcomeView outcome={outcome} />
        </div>
      )}
    </article>
  );
}
