/** Events as lines for a terminal: one a call, one for each thing that was lost or came back. @module */
import type { HoldfastEvent } from "./events.ts";

const COLOUR = { debug: 90, info: 39, warn: 33, error: 31 } as const;

/** Fields that the line says in its own way, or that are too long for one. */
const UNSAID = new Set(["type", "level", "time", "stack", "call", "connectionId"]);

/** What comes from elsewhere stays text: a terminal obeys control characters. */
const plain = (value: unknown): string =>
  String(typeof value === "object" ? JSON.stringify(value) : value).replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** `12:03:11  tools/call echo  4 ms  ok  claude-code 2.1  9f3a…`, in the colour of its level. */
export function prettyLine(event: HoldfastEvent): string {
  const clock = new Date(event.time).toTimeString().slice(0, 8);
  const isCall = event.type === "call.ended";
  const parts = isCall
    ? [
        [event.method, event.name].filter(Boolean).join(" "),
        `${event.ms} ms`,
        event.outcome,
        [event.client, event.clientVersion].filter(Boolean).join(" "),
        event.session === undefined ? event.era : `${event.session}…`,
      ]
    : [
        event.type,
        ...Object.entries(event)
          .filter(([name, value]) => !UNSAID.has(name) && value !== undefined)
          .map(([name, value]) => (name === "session" ? `${String(value)}…` : `${name} ${plain(value)}`)),
      ];
  const text = [clock, ...parts.map(plain).filter((part) => part !== "")].join("  ");
  const isBad = isCall && event.outcome !== "ok" && event.outcome !== "cancelled";
  const colour = isBad ? COLOUR.warn : COLOUR[event.level];
  const stack =
    "stack" in event && event.stack !== undefined ? `\n${event.stack.split("\n").map(plain).join("\n")}` : "";
  return `\u001b[${colour}m${text}${stack}\u001b[0m`;
}
