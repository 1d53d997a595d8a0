/** Spans and numbers, by an SDK in this process: parents, links, attributes, and exactly as many as calls. */
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { McpServer } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HoldfastEvent } from "../../src/index.ts";
import { createLocalMcp, type LocalMcp, serve } from "../../src/local/node.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { telemetry } from "../../src/otel/index.ts";
import { ERAS, SECRET } from "../seen/script.ts";
import { request } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { testOptions } from "../support/test-options.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";

const exporter = new InMemorySpanExporter();
const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer(
  "test",
);
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 2 ** 30 });
const meter = new MeterProvider({ readers: [reader] }).getMeter("test");

interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
}

/** The points of a metric: its value, or how many a histogram has counted. */
async function points(name: string): Promise<Point[]> {
  metricExporter.reset();
  await reader.forceFlush();
  const metrics = metricExporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return metrics
    .filter(({ descriptor }) => descriptor.name === name)
    .flatMap(({ dataPoints }) =>
      dataPoints.map(({ attributes, value }) => ({
        attributes,
        value: typeof value === "number" ? value : (value as { count: number }).count,
      })),
    );
}
const sum = (of: readonly Point[]): number => of.reduce((total, { value }) => total + value, 0);

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => {
  context.disable();
});

const TRACE = "00-11111111111111111111111111111111-1111111111111111-01";
const OTHER = "00-22222222222222222222222222222222-2222222222222222-01";

describe("on a server in this process", () => {
  const events: HoldfastEvent[] = [];
  let mcp: LocalMcp;
  let url = "";
  let close: () => Promise<void>;
  const hanging: string[] = [];
  beforeAll(async () => {
    const log = console.log;
    console.log = (line: string) =>
      void (String(line).includes("test.hanging") ? hanging.push(line) : undefined);
    mcp = createLocalMcp({
      ...testOptions({ TEST_AUTH: "on" }),
      ...telemetry({
        tracer,
        meter,
        residents: () => mcp.host.inMemory,
        onEvent: (event) => void events.push(event),
      }),
      createServer: createTestServer,
      modern: modernHandler({ createServer: createTestServer }),
      onDisconnect() {},
      keepaliveIntervalMs: 300,
    });
    const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
    ({ url } = server);
    close = async () => {
      console.log = log;
      await server.close();
    };
  });
  afterAll(() => close());

  test.each(ERAS)("$name: one SERVER span a call, with its outcome", async ({ run, origin }) => {
    exporter.reset();
    const before = sum(await points("mcp.server.operation.duration"));
    const { told, session } = await run(url, (tag) =>
      eventually(() => expect(hanging.some((line) => line.includes(tag))).toBe(true)),
    );
    await eventually(() => expect(exporter.getFinishedSpans().length).toBe(told.length));
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name, attributes, kind }) => [name, kind, attributes["error.type"]])).toEqual(
      told.map(({ method, name, outcome }) => [
        name === undefined ? method : `${method} ${name}`,
        SpanKind.SERVER,
        outcome === "ok" ? undefined : outcome === "tool-error" ? "tool_error" : String(outcome),
      ]),
    );
    for (const { attributes, status, parentSpanContext } of spans.slice(1)) {
      const isError = attributes["error.type"] !== undefined && attributes["error.type"] !== "cancelled";
      expect(status.code).toBe(isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
      expect(parentSpanContext).toBeUndefined();
      expect(attributes).toMatchObject({
        "mcp.protocol.version": origin["version"],
        "holdfast.transport": origin["transport"],
        // What was turned away before it began has none.
        ...(attributes["error.type"] !== "refused" && { "jsonrpc.request.id": expect.any(String) }),
      });
      expect(attributes["mcp.session.id"]).toBe(session?.slice(0, 8));
      if (attributes["mcp.method.name"] === "tools/call") {
        expect(attributes["gen_ai.tool.name"]).toEqual(expect.any(String));
      }
    }
    const exported = JSON.stringify(
      spans.map(({ name, attributes, status }) => ({ name, attributes, status })),
    );
    expect([SECRET, "Bearer", session ?? SECRET, "amy"].filter((text) => exported.includes(text))).toEqual(
      [],
    );
    expect(sum(await points("mcp.server.operation.duration"))).toBe(before + told.length);
    await eventually(async () => expect(sum(await points("holdfast.calls.active"))).toBe(0));
  });

  test("a call is within its client's trace: of `_meta`, else of its header; handlers are within the call's", async () => {
    exporter.reset();
    const inner: (string | undefined)[] = [];
    const own = createLocalMcp({
      ...telemetry({ tracer, meter }),
      createServer: () => {
        const server = new McpServer({ name: "own", version: "1" });
        server.registerTool("look", { description: "Looks" }, async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          inner.push(trace.getActiveSpan()?.spanContext().spanId);
          return { content: [] };
        });
        return server;
      },
    });
    const server = await serve({ fetch: own.router.fetch, port: 0, onClose: own.close });
    const session = await openSession(server.url);
    const call = (meta: object): object =>
      request("tools/call", { name: "look", arguments: {}, _meta: meta });
    await session.post(call({ traceparent: TRACE }), { traceparent: OTHER });
    await session.post(call({}), { traceparent: OTHER });
    await session.post(call({ traceparent: "nonsense" }));
    await server.close();
    const spans = exporter.getFinishedSpans().filter(({ name }) => name === "tools/call look");
    expect(spans.map(({ parentSpanContext }) => parentSpanContext?.traceId)).toEqual([
      "1".repeat(32),
      "2".repeat(32),
      undefined,
    ]);
    expect(inner).toEqual(spans.map((span) => span.spanContext().spanId));
  });

  test("names that clients make up are no series of their own", async () => {
    const session = await openSession(url, { headers: { Authorization: "Bearer amy:1" } });
    for (let n = 0; n < 20; n++) {
      await session.request(request(`made/up${n}`));
      await session.request(request("tools/call", { name: `made_up${n}`, arguments: {} }));
    }
    const series = JSON.stringify(await points("mcp.server.operation.duration"));
    expect(series).not.toContain("made");
    expect(series).toContain("_OTHER");
  });

  test("streams: open ones, drops by reason, resumes, replayed events; sessions in memory and how long they were", async () => {
    const openStreams = async (): Promise<number> => sum(await points("holdfast.streams.open"));
    await eventually(async () => expect(await openStreams()).toBe(0));
    const [resumes, replayed] = [
      await points("holdfast.stream.resumes"),
      await points("holdfast.stream.replayed"),
    ].map(sum);
    const ended = sum(await points("mcp.server.session.duration"));
    const session = await openSession(url, { headers: { Authorization: "Bearer amy:1" } });
    await session.tool("emit", { count: 4, on: "standalone" });
    const stream = await session.get();
    await stream.messages(1);
    expect(await openStreams()).toBe(1);
    const { lastEventId } = stream;
    stream.leave();
    await eventually(async () => expect(await openStreams()).toBe(0));
    const again = await session.get(lastEventId);
    await again.messages(3);
    expect(sum(await points("holdfast.sessions.resident"))).toBeGreaterThan(0);
    await session.fetch("DELETE");
    await again.rest();
    await eventually(async () => expect(await openStreams()).toBe(0));
    expect(sum(await points("holdfast.stream.resumes"))).toBe((resumes ?? 0) + 1);
    expect(sum(await points("holdfast.stream.replayed"))).toBe((replayed ?? 0) + 3);
    const reasons = (await points("holdfast.stream.drops")).map(({ attributes }) => attributes["reason"]);
    expect(reasons).toEqual(expect.arrayContaining(["client", "deleted"]));
    expect(sum(await points("mcp.server.session.duration"))).toBe(ended + 1);
    expect((await session.post(request("tools/list"))).status).toBe(404);
    await eventually(async () =>
      expect(await points("holdfast.refusals")).toContainEqual(
        expect.objectContaining({ attributes: { "http.response.status_code": 404 } }),
      ),
    );
    expect(events.length).toBeGreaterThan(10);
  });
});

test("a call that runs again after a restart links to its first attempt", async () => {
  exporter.reset();
  const { onCall, onEvent } = telemetry({ tracer, meter });
  let mark: string | undefined;
  const base = {
    call: "a.1",
    method: "tools/call",
    name: "t",
    session: "12345678",
    era: "session",
    transport: "streamable",
    version: "2025-11-25",
    principal: undefined,
    client: undefined,
    clientVersion: undefined,
    requestId: "1",
    traceparent: TRACE,
    tracestate: undefined,
  } as const;
  onCall({ ...base, attempts: 1, first: undefined }, (kept) => void (mark = kept));
  onCall({ ...base, call: "b.1", attempts: 2, first: mark }, () => {});
  for (const [call, attempts] of [
    ["a.1", 1],
    ["b.1", 2],
  ] as const) {
    const answer = { outcome: "ok", ms: 1, bytes: 1, streamed: true } as const;
    onEvent({ type: "call.ended", level: "info", time: Date.now(), ...base, ...answer, call, attempts });
  }
  const [first, second] = exporter.getFinishedSpans();
  expect(second?.links.map(({ context: { spanId } }) => spanId)).toEqual([first?.spanContext().spanId]);
  expect(first?.links).toEqual([]);
  expect(second?.parentSpanContext?.traceId).toBe("1".repeat(32));
});
