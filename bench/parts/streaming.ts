/** Bursts of notifications, on the stream of the call and on the standalone stream, with the event log on. @module */
import { openSession } from "../../test/support/mcp.ts";
import { LATEST } from "../../test/support/messages.ts";
import type { Part, Verdict } from "../lib/part.ts";
import { checkComplete, type Read, readMessages } from "../lib/sse.ts";
import { brief, interleaved, median, spread } from "../lib/stats.ts";
import {
  floor,
  floorLogged,
  holdfast,
  holdfastBare,
  holdfastNodeFile,
  mcpAgent,
  type Running,
  type Subject,
} from "../lib/subjects.ts";

interface Row {
  stream: "request" | "standalone";
  events: number;
  subject: string;
  eventsPerSecond: number;
  bytesPerSecond: number;
  spread: number;
  ofFloor: number;
  ofLogged: number;
}

/** A burst that never comes to its end is not waited for. */
const GIVE_UP_MS = 60_000;

/** One burst through a fresh session: how long it took from the call to the last event. */
async function burst(
  { name, version = LATEST }: Subject,
  { url }: Running,
  on: Row["stream"],
  count: number,
): Promise<{ ms: number; bytes: number }> {
  const session = await openSession(url, { version });
  const signal = AbortSignal.timeout(GIVE_UP_MS);
  const call = {
    jsonrpc: "2.0",
    id: 7,
    method: "tools/call",
    params: { name: "emit", arguments: { count, on } },
  };
  let read: Read;
  let from: number;
  if (on === "request") {
    from = performance.now();
    read = await readMessages(await session.post(call, {}, signal), count + 1);
  } else {
    const ending = new AbortController();
    const headers = { Accept: "text/event-stream", ...session.headers };
    const listening = await fetch(`${url}/mcp`, {
      headers,
      signal: AbortSignal.any([signal, ending.signal]),
    });
    const reading = readMessages(listening, count);
    from = performance.now();
    const answering = session.post(call, {}, signal).then((answer) => answer.text());
    read = await reading;
    await answering;
    ending.abort();
  }
  checkComplete(`${name}, ${count} on the ${on} stream`, read.text, count);
  await (await session.fetch("DELETE")).body?.cancel();
  return { ms: read.lastAt - from, bytes: read.bytes };
}

export const streaming: Part = {
  name: "streaming",
  what: "notifications of 170 bytes, from the call to the last of them; a fresh session each time",
  async run({ quick, say }) {
    const counts = quick ? [100, 1000] : [100, 1000, 10_000];
    const rows: Row[] = [];
    const subjects = [floor, floorLogged, holdfastBare, holdfast, mcpAgent, holdfastNodeFile];
    const running = new Map<Subject, Running>();
    try {
      for (const subject of subjects) running.set(subject, await subject.start());
      // Bounded by what it keeps, McpAgent is measured up to the size that it carries whole.
      const failed = new Map<string, string>();
      for (const on of ["request", "standalone"] as const) {
        // The floor has one kind of stream: the call's.
        const stream = (subject: Subject): Row["stream"] =>
          subject === floor || subject === floorLogged ? "request" : on;
        for (const count of counts) {
          say(`${count} on the ${on} stream`);
          const rounds = quick ? 2 : count === 10_000 ? 3 : 5;
          const measure = async (subject: Subject): Promise<{ ms: number; bytes: number }> => {
            if (failed.has(`${subject.name} ${on}`)) return { ms: Number.NaN, bytes: 0 };
            try {
              return await burst(subject, running.get(subject) as Running, stream(subject), count);
            } catch (error) {
              if (subject !== mcpAgent) throw error;
              failed.set(`${subject.name} ${on}`, String(error));
              say(`${subject.name}: ${String(error)}`);
              return { ms: Number.NaN, bytes: 0 };
            }
          };
          for (const subject of subjects) await measure(subject);
          const results = await interleaved(subjects, rounds, measure);
          const rate = (subject: Subject): number =>
            count / (median(results.get(subject)?.map(({ ms }) => ms) ?? []) / 1000);
          for (const [subject, taken] of results) {
            const eventsPerSecond = rate(subject);
            const bytes = median(taken.map((one) => one.bytes));
            rows.push({
              stream: on,
              events: count,
              subject: subject.host === "Node" ? `${subject.name} (Node)` : subject.name,
              eventsPerSecond,
              bytesPerSecond: (eventsPerSecond * bytes) / count,
              spread: spread(taken.map(({ ms }) => ms)),
              ofFloor: eventsPerSecond / rate(floor),
              ofLogged: eventsPerSecond / rate(floorLogged),
            });
          }
        }
      }
    } finally {
      for (const server of running.values()) await server.close();
    }
    return { rows, verdicts: growth(rows) };
  },
  show: (rows) =>
    (rows as Row[]).map((row) => ({
      stream: row.stream,
      events: row.events,
      subject: row.subject,
      "events/s": brief(row.eventsPerSecond),
      "MB/s": brief(row.bytesPerSecond / 1e6),
      "± %": brief((row.spread * 100) / 2),
      "% of floor": brief(row.ofFloor * 100),
      "% of logged": brief(row.ofLogged * 100),
    })),
};

/** Ten times the events may take ten times as long, not more, as on the floor; a third is left for the machine. */
function growth(rows: readonly Row[]): Verdict[] {
  const grows = (on: string, subject: string): number => {
    const own = rows.filter((row) => row.stream === on && row.subject === subject);
    const [before, last] = own.slice(-2);
    return (last?.eventsPerSecond ?? Number.NaN) / (before?.eventsPerSecond ?? Number.NaN);
  };
  return ["request", "standalone"].flatMap((on) =>
    [holdfast.name, holdfastBare.name].map((subject) => {
      const own = grows(on, subject);
      const ground = grows(on, floor.name);
      return {
        target: `${subject}, ${on} stream: ten times the events at the same rate, as on the floor`,
        figure: `${brief(own)} × the rate; the floor ${brief(ground)} ×`,
        met: own > Math.min(1, ground) * (2 / 3),
      };
    }),
  );
}
