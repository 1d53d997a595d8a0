/**
 * Prometheus reads `/metrics` of the same server, with a token of its own (`authorization` of its scrape configuration).
 *
 * npm install @opentelemetry/api @opentelemetry/sdk-metrics @opentelemetry/exporter-prometheus
 * @module
 */
import { createLocalMcp, type LocalMcp, type LocalMcpOptions } from "../../src/local/index.ts";
import { prometheus } from "../../src/prometheus/index.ts";

/** MCP, with `/metrics` beside it for whoever has the token. */
export function createObservedMcp(options: LocalMcpOptions, token: string): LocalMcp {
  const mcp: LocalMcp = createLocalMcp({
    ...options,
    ...prometheus(
      (request) =>
        request.headers.get("authorization") === `Bearer ${token}` ? { principal: "prometheus" } : undefined,
      { residents: () => mcp.host.inMemory },
    ),
  });
  return mcp;
}
