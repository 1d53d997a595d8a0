/**
 * `holdfast/cloudflare/tracing`: calls as spans of the Workers runtime's own tracing, which the platform exports by
 * configuration alone. Read `docs/observability.md`.
 * @module
 */
import * as workers from "cloudflare:workers";
import type { HoldfastEvent } from "../src/events.ts";
import type { HoldfastOptions } from "../src/options.ts";
import { attributesOf, endingOf, errorType, nameOf, written } from "../src/otel/conventions.ts";

/** Spans of calls whose end was not told, as where a tool never answers: more are not kept. */
const MOST_OPEN = 10_000;

/** What the runtime has, where it is new enough. */
type Tracing = Pick<typeof workers.tracing, "startSpan" | "withActiveSpan">;
type Span = ReturnType<Tracing["startSpan"]>;

/** The runtime's, if it can begin a span at one time and end it at another; undefined in those before 2026. */
const tracing = (workers as { readonly tracing?: Partial<Tracing> }).tracing;
const has = (given: Partial<Tracing> | undefined): given is Tracing =>
  typeof given?.startSpan === "function" && typeof given.withActiveSpan === "function";

/**
 * The hooks of a Worker whose calls are spans in the runtime's traces: to be spread among its options. A span has the
 * names and attributes of `holdfast/otel`, in the object where the call runs; what its handlers do there is within it.
 * Its parent is the platform's; the client's own trace, and the attempt that a call follows from, are attributes.
 * Where the runtime has no such tracing, or a request is not sampled, nothing is made.
 * @param options.onEvent hears every event too: yours, which this stands in front of
 * @example
 * createMcpWorker({ createServer, namespace, ...workersTracing() })
 */
export function workersTracing({
  onEvent,
}: { readonly onEvent?: (event: HoldfastEvent) => unknown } = {}): Required<Pick<HoldfastOptions, "onCall">> &
  Pick<HoldfastOptions, "onEvent"> {
  if (!has(tracing)) return { onCall: (_call, run) => run(), ...(onEvent && { onEvent }) };
  const open = new Map<string, Span>();
  return {
    onCall(call, run) {
      const span = tracing.startSpan(nameOf(call));
      if (!span.isTraced) {
        span.end();
        return run();
      }
      if (open.size < MOST_OPEN) open.set(call.call, span);
      const { traceparent, first } = call;
      span.setAttributes({
        ...attributesOf(call),
        "holdfast.client.traceparent": traceparent,
        "holdfast.first_attempt": first,
      });
      tracing.withActiveSpan(span, () => run(written(span.spanContext())));
    },
    onEvent(event) {
      const span = event.type === "call.ended" ? open.get(event.call) : undefined;
      if (span !== undefined && event.type === "call.ended") {
        open.delete(event.call);
        span.setAttributes(endingOf(event));
        const isFailed = errorType(event.outcome) !== undefined && event.outcome !== "cancelled";
        if (isFailed) span.setStatus({ code: "error" });
        span.end();
      }
      return onEvent?.(event);
    },
  };
}
