/**
 * With `TEST_OTEL=on`, each span is printed as it ends: `test.span` with its trace, parent, links and attributes; and each
 * number as it is recorded: `test.number`. Others do not load OpenTelemetry's SDK.
 * @module
 */
import type { HoldfastOptions } from "../../src/index.ts";

export async function testTelemetry(
  variables: Readonly<Record<string, unknown>>,
): Promise<Pick<HoldfastOptions, "onEvent" | "onCall">> {
  return variables["TEST_OTEL"] === "on" ? (await import("./printed-telemetry.ts")).printedTelemetry() : {};
}
