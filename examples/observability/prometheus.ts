/**
 * Prometheus reads `/metrics` of the same server. The path is yours to guard: here it is open to whoever reaches the port.
 *
 * npm install @opentelemetry/api @opentelemetry/sdk-metrics @opentelemetry/exporter-prometheus
 * @module
 */
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { Hono } from "hono";
import { createLocalMcp, type LocalMcp, type LocalMcpOptions } from "../../src/local/index.ts";
import { telemetry } from "../../src/otel/index.ts";

/** The app, with MCP and `/metrics`. */
export function createObservedApp(options: LocalMcpOptions): { app: Hono; mcp: LocalMcp } {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const meter = new MeterProvider({ readers: [exporter] }).getMeter("holdfast");
  const mcp: LocalMcp = createLocalMcp({
    ...options,
    ...telemetry({ meter, residents: () => mcp.host.inMemory }),
  });
  const serializer = new PrometheusSerializer();
  const app = new Hono();
  app.get("/metrics", async (c) => {
    const { resourceMetrics } = await exporter.collect();
    return c.text(serializer.serialize(resourceMetrics));
  });
  app.route("/", mcp.router);
  return { app, mcp };
}
