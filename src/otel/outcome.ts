/** How a call's outcome is said by OpenTelemetry. @module */
import type { Outcome } from "../events.ts";

/** The value of `error.type`: a JSON-RPC error's code, or a word; undefined for a call that went well. */
export function errorType(outcome: Outcome): string | undefined {
  if (outcome === "ok") return undefined;
  return outcome === "tool-error" ? "tool_error" : String(outcome);
}
