/** What `TEST_OTEL=on` prints (`test-telemetry.ts`), by OpenTelemetry's own SDK. @module */
import { createNoopMeter, type Meter } from "@opentelemetry/api";
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { HoldfastOptions } from "../../src/index.ts";
import { telemetry } from "../../src/otel/index.ts";

function print(span: ReadableSpan): void {
  const { name, attributes, links, parentSpanContext } = span;
  const { traceId, spanId } = span.spanContext();
  const linked = links.map(({ context }) => context.spanId);
  const line = {
    type: "test.span",
    name,
    traceId,
    spanId,
    parent: parentSpanContext?.spanId,
    linked,
    attributes,
  };
  console.log(JSON.stringify(line));
}

/** Prints what is recorded, before an SDK would sum it up: each number once, with its attributes. */
function printingMeter(): Meter {
  const instrument =
    (verb: "record" | "add") =>
    (name: string): never =>
      ({
        [verb]: (value: number, attributes: object = {}) =>
          console.log(JSON.stringify({ type: "test.number", name, value, attributes })),
      }) as never;
  return Object.assign(createNoopMeter(), {
    createHistogram: instrument("record"),
    createCounter: instrument("add"),
    createUpDownCounter: instrument("add"),
  });
}

/** The hooks that record, and print what they do. */
export function printedTelemetry(): Pick<HoldfastOptions, "onEvent" | "onCall"> {
  const exporter = {
    export(spans: readonly ReadableSpan[], done: (result: { code: number }) => void) {
      spans.forEach(print);
      done({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return telemetry({ tracer: provider.getTracer("test"), meter: printingMeter() });
}
