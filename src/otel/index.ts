/**
 * `holdfast/otel`: traces and metrics by OpenTelemetry's API, after the semantic conventions of MCP. It hears events
 * and makes spans of them; exporters are yours. Read `docs/observability.md`.
 * @module
 */
import { type Meter, metrics, trace, type Tracer } from "@opentelemetry/api";
import type { HoldfastEvent } from "../events.ts";
import type { HoldfastOptions } from "../options.ts";
import { checkGiven, FUNCTION, having } from "../setup.ts";
import { createInstruments } from "./instruments.ts";
import { createSpans } from "./spans.ts";

/** What {@link telemetry} takes; all optional. */
export interface TelemetryOptions {
  /** That of the API, named `holdfast`, by default: silent until an SDK is registered. */
  tracer?: Tracer;
  /** Likewise. */
  meter?: Meter;
  /** Hears every event too: yours, which `telemetry` stands in front of. */
  onEvent?: (event: HoldfastEvent) => unknown;
  /** How many sessions are in memory, such as `() => mcp.host.inMemory`; asked whenever metrics are collected. */
  residents?: () => number;
}

/**
 * The hooks of a server that is seen: to be spread among its options.
 * @example
 * createLocalMcp({ createServer, ...telemetry() })
 */
export function telemetry(
  options: TelemetryOptions = {},
): Required<Pick<HoldfastOptions, "onEvent" | "onCall">> {
  checkGiven("telemetry", options, {
    tracer: having("startSpan", "a tracer of OpenTelemetry"),
    meter: having("createHistogram", "a meter of OpenTelemetry"),
    onEvent: FUNCTION,
    residents: FUNCTION,
  });
  const {
    tracer = trace.getTracer("holdfast"),
    meter = metrics.getMeter("holdfast"),
    onEvent,
    residents,
  } = options;
  const spans = createSpans(tracer);
  const measure = createInstruments(meter, residents);
  return {
    onCall: spans.run,
    onEvent(event) {
      if (event.type === "call.ended") spans.end(event);
      measure(event);
      return onEvent?.(event);
    },
  };
}
