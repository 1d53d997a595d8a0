/**
 * `holdfast/prometheus`: `/metrics` in Prometheus' text, beside MCP, by OpenTelemetry's own exporter. Read
 * `docs/observability.md`.
 * @module
 */
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Env } from "hono";
import type { HoldfastEvent } from "../events.ts";
import type { HoldfastOptions } from "../options.ts";
import { createInstruments } from "../otel/instruments.ts";
import type { Annex, Handler } from "../router.ts";
import type { Authorize } from "../routes/context.ts";

/** What {@link prometheus} takes besides; all optional. */
export interface PrometheusOptions {
  /** Hears every event too: yours, which this stands in front of. */
  readonly onEvent?: (event: HoldfastEvent) => unknown;
  /** How many sessions are in memory, such as `() => mcp.host.inMemory`; asked whenever metrics are collected. */
  readonly residents?: () => number;
}

/** Options of a server that is measured. */
export interface Measured<E extends Env> extends Required<Pick<HoldfastOptions, "onEvent">> {
  /** Serves `GET /metrics`. */
  readonly metrics: Annex<E, undefined>;
}

/**
 * The options of a server whose numbers Prometheus reads at `/metrics`, below the mount: to be spread among its own.
 * The numbers are those of `holdfast/otel`, of this process.
 * @param authorize judges who reads them, as `sessionsAdmin` does: there is no default. Prometheus sends a token where
 * its `authorization` says so
 * @throws {TypeError} where there is nobody to judge
 * @example
 * createLocalMcp({ createServer, ...prometheus((request) => isOurs(request) ? { principal: "prometheus" } : undefined) })
 */
export function prometheus<E extends Env = Env>(
  authorize: Authorize<E>,
  { onEvent, residents }: PrometheusOptions = {},
): Measured<E> {
  if (typeof authorize !== "function") throw new TypeError("prometheus must be given a function that judges");
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer();
  const measure = createInstruments(
    new MeterProvider({ readers: [exporter] }).getMeter("holdfast"),
    residents,
  );
  const read: Handler<E> = async (_site, { headers }) => {
    const { resourceMetrics } = await exporter.collect();
    const text = serializer.serialize(resourceMetrics);
    return new Response(text, {
      headers: { ...headers, "Content-Type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  };
  return {
    onEvent(event) {
      measure(event);
      return onEvent?.(event);
    },
    metrics: { authorize, routes: () => ({ "/metrics": { methods: "GET", handlers: { GET: read } } }) },
  };
}
