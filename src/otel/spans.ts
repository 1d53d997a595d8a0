/**
 * A SERVER span for each call. It begins where the call is handed to its server, within its client's trace, and what
 * the handlers do is within it; in a Durable Object as in one process, since a call's headers and `_meta` cross to it.
 * @module
 */
import {
  type Attributes,
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
import { errorType } from "./outcome.ts";

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
      [call.method ?? "unknown", call.method?.startsWith("resources/") ? undefined : call.name]
        .filter((part) => part !== undefined)
        .join(" "),
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
      if (type !== undefined) span.setAttribute("error.type", type);
      if (type !== undefined && call.outcome !== "cancelled") span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttributes({
        "holdfast.streamed": call.streamed,
        "holdfast.answer.size": call.bytes,
        ...(typeof call.outcome === "number" && { "rpc.response.status_code": String(call.outcome) }),
      });
      span.end(call.time);
    },
  };
}

/** After the semantic conventions of MCP; payloads, tokens and whole session ids are in none. */
function attributesOf(call: CallEvent | StartedCall): Attributes {
  const { method, name } = call;
  const attributes: Record<string, string | number | undefined> = {
    "mcp.method.name": method,
    "mcp.session.id": call.session,
    "mcp.protocol.version": call.version,
    "jsonrpc.request.id": (call as Partial<StartedCall>).requestId,
    "network.transport": "tcp",
    "network.protocol.name": "http",
    "user_agent.name": call.client,
    "user_agent.version": call.clientVersion,
    "enduser.pseudo.id": call.principal,
    "holdfast.era": call.era,
    "holdfast.transport": call.transport,
    "holdfast.attempts": call.attempts,
  };
  if (method === "tools/call") {
    attributes["gen_ai.operation.name"] = "execute_tool";
    attributes["gen_ai.tool.name"] = name;
  } else if (method === "prompts/get") attributes["gen_ai.prompt.name"] = name;
  else attributes["mcp.resource.uri"] = name;
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined),
  ) as Attributes;
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

/** As `traceparent` has it. */
function written({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
