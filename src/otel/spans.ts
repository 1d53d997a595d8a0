/**
 * A SERVER span for each call. It begins where the call is handed to its server, within its client's trace, and what
 * the handlers do is within it; in a Durable Object as in one process, since a call's headers and `_meta` cross to it.
 * @module
 */
import {
  context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { CallEvent, EndedCall, StartedCall } from "../events.ts";
import type { OnCall } from "../watch.ts";
import { attributesOf, endingOf, errorType, nameOf, written } from "./conventions.ts";

/** The spans of calls that are under way. */
export interface Spans {
  readonly run: OnCall;
  /** Ends the call's span; one that never ran gets a span of no length. */
  end(call: EndedCall & { readonly time: number }): void;
}

/** Spans of calls whose end was not told, as where a tool never answers: more are not kept. */
const MOST_OPEN = 10_000;

/** Makes them by this tracer. */
export function createSpans(tracer: Tracer): Spans {
  const open = new Map<string, Span>();

  const start = (call: CallEvent | StartedCall, at?: number): Span => {
    const { traceparent, tracestate, first }: Partial<StartedCall> = call as Partial<StartedCall>;
    const parent = contextOf(traceparent, tracestate);
    const link = contextOf(first);
    return tracer.startSpan(
      nameOf(call),
      {
        kind: SpanKind.SERVER,
        attributes: attributesOf(call),
        // Another attempt at a call belongs to the same trace, and follows from the first.
        links: link === undefined ? [] : [{ context: link }],
        ...(at !== undefined && { startTime: at }),
      },
      parent === undefined ? context.active() : trace.setSpanContext(ROOT_CONTEXT, parent),
    );
  };

  return {
    run(call, run) {
      const span = start(call);
      if (open.size < MOST_OPEN) open.set(call.call, span);
      context.with(trace.setSpan(context.active(), span), () => run(written(span.spanContext())));
    },
    end(call) {
      const span = open.get(call.call) ?? start(call, call.time - call.ms);
      open.delete(call.call);
      const type = errorType(call.outcome);
      if (type !== undefined && call.outcome !== "cancelled") span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttributes(endingOf(call));
      span.end(call.time);
    },
  };
}

function contextOf(traceparent: string | undefined, tracestate?: string): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparent?.split("-") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return {
    traceId,
    spanId,
    traceFlags: parseInt(flags, 16),
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  };
}
