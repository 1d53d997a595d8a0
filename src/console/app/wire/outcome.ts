/** How a call ended, in a few words. @module */
import { mark } from "../journal.ts";
import { type Json, objectsIn, type Outcome, textIn } from "./types.ts";

/** The end of a call, for the timeline. */
export function tellOutcome(outcome: Outcome, title: string, lane: number): void {
  switch (outcome.type) {
    case "result":
      return mark("answer", `${title} → ${inShort(outcome.result)}`, { lane });
    case "error":
      return mark("error", `${title}: ${textIn(outcome.error.message) ?? "error"}`, { lane });
    case "cancelled":
      return mark("cancel", `${title}: cancelled`, { lane });
    case "lost":
      return mark("error", `${title}: ${outcome.reason}`, { lane });
  }
}

/** A result in a few words: the first text of it, where there is one. */
function inShort(result: Json): string {
  const [first] = objectsIn(result["content"]);
  const words = textIn(first?.["text"]) ?? (first === undefined ? "ok" : String(first["type"]));
  return words.length > 60 ? `${words.slice(0, 60)}…` : words;
}
