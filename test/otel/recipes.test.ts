/** The recipes of docs/observability.md, as they stand in examples/observability. */
import { expect, test } from "vitest";
import { analyticsEngine, type Dataset } from "../../examples/observability/analytics-engine.ts";
import { createObservedMcp } from "../../examples/observability/prometheus.ts";
import { prometheus } from "../../src/prometheus/index.ts";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { request, toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { createTestServer } from "../support/test-server.ts";

test("Prometheus reads what calls and sessions there are, and nothing that was said", async () => {
  const mcp = createObservedMcp({ createServer: createTestServer, logLevel: "silent" }, "t0ken");
  const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
  try {
    const session = await openSession(server.url);
    await session.tool("echo", { text: "s3cret" });
    await session.request(toolCall("test_error_handling"));
    const scrape = (token: string, method = "GET"): Promise<Response> =>
      fetch(`${server.url}/metrics`, { method, headers: { Authorization: `Bearer ${token}` } });
    expect([(await scrape("other")).status, (await scrape("t0ken", "POST")).status]).toEqual([401, 405]);
    const scraped = await scrape("t0ken");
    expect(scraped.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await scraped.text();
    expect(text).toMatch(/^mcp_server_operation_duration(_seconds)?_count\{.*gen_ai_tool_name="echo".*\} 1/m);
    expect(text).toMatch(/error_type="tool_error"/);
    expect(text).toMatch(/^holdfast_sessions_resident(\{.*\})? 1/m);
    expect(text).not.toMatch(/s3cret/);
    expect(text).not.toContain(session.id.slice(0, 8));
  } finally {
    await server.close();
  }
});

test("Analytics Engine gets one point a call", async () => {
  const points: Parameters<Dataset["writeDataPoint"]>[0][] = [];
  const onEvent = analyticsEngine(() => ({ writeDataPoint: (point) => void points.push(point) }));
  const mcp = createLocalMcp({ createServer: createTestServer, onEvent });
  const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
  try {
    const session = await openSession(server.url);
    await session.tool("echo", { text: "s3cret" });
    await session.request(request("no/such"));
    expect(points.map(({ indexes, blobs }) => [indexes[0], blobs[2]])).toEqual([
      ["initialize", "ok"],
      ["echo", "ok"],
      ["no/such", "-32601"],
    ]);
    expect(points[1]?.doubles).toEqual([expect.any(Number), expect.any(Number), 1]);
    expect(JSON.stringify(points)).not.toContain("s3cret");
  } finally {
    await server.close();
  }
});

test("there is no /metrics where nobody asked for it, and none that judges nobody", async () => {
  const mcp = createLocalMcp({ createServer: createTestServer, logLevel: "silent" });
  expect((await mcp.router.request("http://localhost/metrics")).status).toBe(404);
  await mcp.close();
  expect(() => prometheus(undefined as never)).toThrow("a function that judges");
});
