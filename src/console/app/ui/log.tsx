/** What has happened to a session, as its server has noted it: the newest last, as it comes. @module */
import type { JSX } from "preact";
import type { MarkKind } from "../journal.ts";
import { isObject, type Json, objectsIn, textIn } from "../wire/types.ts";
import { SIGNS } from "./life.tsx";
import { useTail } from "./tail.ts";
import { clock, inLine } from "./text.tsx";

/** What each type of event is, in the signs of the timeline; where it depends, see {@link kindOf}. */
const KINDS: Readonly<Record<string, MarkKind>> = {
  "call.started": "call",
  "stream.resumed": "resume",
  "replay.gap": "gap",
  "queue.overflow": "gap",
  "session.created": "open",
  "session.interrupted": "drop",
  "session.rehydrated": "deploy",
  "session.server_changed": "deploy",
  "session.revived": "resume",
  "session.expired": "end",
  "session.terminated": "end",
  "session.rotated": "end",
};

/** Ends of connections that nobody need come back from. */
const IN_ORDER = new Set(["done", "closed", "deleted", "replaced"]);

function kindOf({ type, outcome, redialled, reason }: Json): MarkKind {
  if (type === "call.ended") {
    if (outcome === "ok") return "answer";
    return outcome === "cancelled" ? "cancel" : "error";
  }
  if (type === "stream.attached") return redialled === true ? "redial" : "open";
  if (type === "stream.detached") return IN_ORDER.has(textIn(reason) ?? "") ? "end" : "drop";
  return KINDS[textIn(type) ?? ""] ?? "error";
}

/** Said in front, or of no use to a reader. */
const UNSAID = new Set(["time", "type", "call"]);

function wordsOf(entry: Json): string {
  const { type, method, name, outcome, ms, attempts } = entry;
  if (type === "call.started" || type === "call.ended") {
    const again = typeof attempts === "number" && attempts > 1 ? `attempt ${attempts}` : "";
    const took = typeof ms === "number" ? `${ms} ms` : "";
    return [method, name, outcome, took, again]
      .filter((part) => part !== undefined && part !== "")
      .map(String)
      .join(" ");
  }
  return Object.entries(entry)
    .filter(([field, value]) => !UNSAID.has(field) && value !== undefined && value !== false)
    .map(([field, value]) => wordOf(field, value))
    .join(", ");
}

function wordOf(field: string, value: unknown): string {
  if (field === "connectionId") return `connection ${String(value).slice(0, 8)}`;
  return value === true ? field : `${field} ${String(value)}`;
}

export function Log({ log }: { log: unknown }): JSX.Element | null {
  const tail = useTail<HTMLOListElement>(log);
  if (!isObject(log)) return null;
  const entries = objectsIn(log["entries"]);
  const dropped = typeof log["dropped"] === "number" ? log["dropped"] : 0;
  const since = typeof log["since"] === "number" ? log["since"] : undefined;
  return (
    <section class="rows-of">
      <h4>
        log <span class="count">{entries.length}</span>
        {since !== undefined && (
          <span class="count">
            {" "}
            since {clock(since)}
            {dropped > 0 && `, ${dropped} older ones let go of`}
          </span>
        )}
      </h4>
      <ol class="moments log" aria-label="Log" tabIndex={0} {...tail}>
        {entries.length === 0 && <li class="empty">Nothing has happened since.</li>}
        {entries.map((entry, index) => {
          const kind = kindOf(entry);
          return (
            <li key={dropped + index} class={kind}>
              <time>{typeof entry["time"] === "number" ? clock(entry["time"]) : "–"}</time>
              <span class="sign" aria-hidden="true">
                {SIGNS[kind]}
              </span>
              <span class="what">
                <b>{inLine(textIn(entry["type"]) ?? "?", 40)}</b> {inLine(wordsOf(entry), 160)}
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
