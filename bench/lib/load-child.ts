/**
 * The load generator, a process of its own so that it takes no time from the server or from whoever
 * measures: autocannon, with latencies kept in microseconds.
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";
import type { Load, LoadResult } from "./load.ts";

/** What is used of autocannon, which has no types. */
interface Client {
  setRequests(requests: object[]): void;
}
interface Tracker {
  on(event: "response", hear: (client: Client, status: number, bytes: number, ms: number) => void): void;
  on(event: "reqError" | "reqMismatch", hear: (what: unknown) => void): void;
}
type Autocannon = (options: object, done: (error: Error | null) => void) => Tracker;
interface Histogram {
  recordValue(value: number): void;
  getValueAtPercentile(percentile: number): number;
}

const require = createRequire(import.meta.url);
const autocannon = require("autocannon") as Autocannon;
const { build } = require("hdr-histogram-js") as { build(options: object): Histogram };

function run(load: Load): Promise<LoadResult> {
  const { url, sessions, connections, warmUpMs, measureMs, expects } = load;
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 });
  let calls = 0;
  let allCalls = 0;
  let failures = 0;
  let lastFailure = "";
  let connection = 0;
  const fail = (what: unknown): void => {
    failures += 1;
    lastFailure = String(what).slice(0, 300);
  };
  return new Promise((resolve, reject) => {
    const from = performance.now() + warmUpMs;
    const until = from + measureMs;
    const startedAt = process.cpuUsage();
    const tracker = autocannon(
      {
        url,
        connections,
        duration: (warmUpMs + measureMs) / 1000,
        sampleInt: 20,
        timeout: 20,
        setupClient(client: Client) {
          client.setRequests(requestsOf(load, connection++ % connections));
        },
        verifyBody: (body: string) => body.includes(expects),
      },
      (error) => {
        if (error !== null) return reject(error);
        const { user, system } = process.cpuUsage(startedAt);
        resolve({
          callsPerSecond: (calls / measureMs) * 1000,
          p50: histogram.getValueAtPercentile(50) / 1000,
          p99: histogram.getValueAtPercentile(99) / 1000,
          calls,
          allCalls,
          failures,
          lastFailure,
          generatorCpu: (user + system) / 1000 / (warmUpMs + measureMs),
          sessions: sessions.length,
        });
      },
    );
    tracker.on("response", (_client, status, _bytes, ms) => {
      if (status !== 200) fail(`status ${status}`);
      allCalls += 1;
      const now = performance.now();
      if (now < from || now >= until) return;
      calls += 1;
      histogram.recordValue(Math.max(1, Math.round(ms * 1000)));
    });
    tracker.on("reqError", fail);
    tracker.on("reqMismatch", fail);
  });
}

/** Each connection goes round its own share of the sessions, under ids that no other uses at that time. */
function requestsOf({ sessions, connections, body, version }: Load, connection: number): object[] {
  const own =
    sessions.length >= connections
      ? sessions.filter((_, index) => index % connections === connection)
      : [sessions[connection % sessions.length]];
  const rounds = Math.ceil(16 / own.length);
  return Array.from({ length: own.length * rounds }, (_, index) => ({
    method: "POST",
    path: "/mcp",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": own[index % own.length],
      "mcp-protocol-version": version,
    },
    body: JSON.stringify({ ...body, id: 1 + connection * 10_000 + index }),
  }));
}

process.on("message", (load: Load) => {
  run(load).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
