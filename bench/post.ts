/**
 * `npm run bench:post [rounds]`: a quick call that crosses to its object by an RPC method, against one that crosses by
 * `fetch`, as it does where stubs have no methods (compatibility flag `no_rpc`). What the second pays besides is one error
 * a call: some microseconds.
 * @module
 */
import process from "node:process";
import { openSession } from "../test/support/mcp.ts";
import { LATEST } from "../test/support/messages.ts";
import { startWorkerd } from "../test/support/workerd.ts";
import { cpuMs } from "./lib/cpu.ts";
import { startLoadGenerator } from "./lib/load.ts";
import { brief, interleaved, median, pairwise, spread } from "./lib/stats.ts";

const SESSIONS = 50;
const entry = new URL("worker/holdfast.ts", import.meta.url).pathname;
const params = { name: "echo", arguments: { text: "hello" } };
const body = { jsonrpc: "2.0", method: "tools/call", params };
const rounds = Number(process.argv[2] ?? 8);

const generator = startLoadGenerator();
const ways = await Promise.all(
  [[], ["no_rpc"]].map(async (more) => {
    const server = await startWorkerd({ entry, flags: ["enable_request_signal", ...more] });
    const opening = Array.from({ length: SESSIONS }, async () => (await openSession(server.url)).id);
    return { server, sessions: await Promise.all(opening) };
  }),
);
const results = await interleaved(ways, rounds, async ({ server, sessions }) => {
  const before = cpuMs(server.pid);
  const times = { connections: 16, warmUpMs: 300, measureMs: 1500 };
  const load = { url: server.url, sessions, body, expects: "hello", version: LATEST, ...times };
  const { callsPerSecond, allCalls } = await generator.run(load);
  return { callsPerSecond, cpuUs: ((cpuMs(server.pid) - before) * 1000) / allCalls };
});
generator.close();
const [method = [], fetched = []] = ways.map((way) => results.get(way));
for (const [name, all] of [
  ["method", method],
  ["fetch", fetched],
] as const) {
  const calls = all.map(({ callsPerSecond }) => callsPerSecond);
  const cpu = brief(median(all.map(({ cpuUs }) => cpuUs)));
  console.log(
    `${name}: ${brief(median(calls))} calls/s (± ${brief(spread(calls) * 100)} %), ${cpu} µs of processor time each`,
  );
}
console.log(
  `by a method: ${brief(pairwise(method, fetched, "callsPerSecond"))} × the calls, ${brief(pairwise(method, fetched, "cpuUs"))} × the processor time`,
);
await Promise.all(ways.map(({ server }) => server.close()));
