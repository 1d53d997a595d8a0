/**
 * `npm run bench:profile [-- calls|streaming] [--server bare|<tools>]`: where workerd's isolate spends its time
 * under load. Prints the functions, most expensive first, and writes `bench/results/<what>.cpuprofile` for
 * a browser's developer tools.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { openSession } from "../test/support/mcp.ts";
import { LATEST } from "../test/support/messages.ts";
import { freePort, startWorkerd } from "../test/support/workerd.ts";
import { openInspector, until } from "./lib/inspector.ts";
import { startLoadGenerator } from "./lib/load.ts";
import { checkComplete, readMessages } from "./lib/sse.ts";

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; lineNumber: number }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

const { default: binary } = createRequire(import.meta.url)("workerd") as { default: string };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { server: { type: "string", default: "bare" } },
});
const [what = "calls"] = positionals;

/** The load that is profiled. */
async function load(url: string): Promise<() => Promise<void>> {
  if (what === "streaming") {
    const session = await openSession(url);
    const params = { name: "emit", arguments: { count: 10_000, on: "request" } };
    return async () => {
      const answer = await session.post({ jsonrpc: "2.0", id: 7, method: "tools/call", params });
      checkComplete("profile", (await readMessages(answer, 10_001)).text, 10_000);
    };
  }
  const sessions = await Promise.all(Array.from({ length: 16 }, async () => (await openSession(url)).id));
  const generator = startLoadGenerator();
  const params = { name: "echo", arguments: { text: "hello" } };
  const body = { jsonrpc: "2.0", method: "tools/call", params };
  const times = { connections: 16, warmUpMs: 100, measureMs: 4000 };
  const run = (): ReturnType<typeof generator.run> =>
    generator.run({ url, sessions, body, expects: "hello", version: LATEST, ...times });
  await run();
  return async () => {
    const { callsPerSecond, p50, p99 } = await run();
    console.log(`${Math.round(callsPerSecond)} calls/s, p50 ${p50} ms, p99 ${p99} ms, while profiled`);
    generator.close();
  };
}

function print({ nodes, samples, timeDeltas }: Profile): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const self = new Map<string, number>();
  const whole = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, time: number): void =>
    void to.set(name, (to.get(name) ?? 0) + time);
  const nameOf = (id: number | undefined): string => {
    const { functionName = "", lineNumber = 0 } = byId.get(id ?? 0)?.callFrame ?? {};
    return `${functionName || "(anonymous)"} ${lineNumber + 1}`;
  };
  let total = 0;
  for (const [index, id] of samples.entries()) {
    if (nameOf(id).startsWith("(idle)")) continue;
    const time = timeDeltas[index] ?? 0;
    total += time;
    add(self, nameOf(id), time);
    const stack = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) stack.add(nameOf(at));
    for (const name of stack) add(whole, name, time);
  }
  const share = (time = 0): string => `${((time / total) * 100).toFixed(1)} %`;
  const top = [...self].toSorted(([, a], [, b]) => b - a).slice(0, 40);
  console.table(
    top.map(([name, time]) => ({ name, self: share(time), "with what it calls": share(whole.get(name)) })),
  );
}

const server = await startWorkerd({
  entry: new URL("worker/holdfast.ts", import.meta.url).pathname,
  vars: { BENCH_SERVER: values.server },
});
let profiled: ChildProcess | undefined;
try {
  // The same again, with its inspector open.
  await server.kill();
  const port = await freePort();
  const config = `${dirname(server.storage)}/config.capnp`;
  profiled = spawn(binary, ["serve", "--experimental", `--inspector-addr=127.0.0.1:${port}`, config], {
    stdio: "ignore",
  });
  await until(async () => (await fetch(`${server.url}/health`)).arrayBuffer());
  const { ask } = await openInspector(port);
  await ask("Profiler.enable");
  await ask("Profiler.setSamplingInterval", { interval: 200 });
  const run = await load(server.url);
  await ask("Profiler.start");
  await run();
  const { profile } = (await ask("Profiler.stop")) as { profile: Profile };
  mkdirSync(`${import.meta.dirname}/results`, { recursive: true });
  writeFileSync(`${import.meta.dirname}/results/${what}.cpuprofile`, JSON.stringify(profile));
  print(profile);
} finally {
  profiled?.kill("SIGKILL");
  await server.close();
}
process.exit();
