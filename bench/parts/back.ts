/**
 * Coming back: from the reconnect to the first event that had waited, with the object awake, after its end
 * and after the end of the whole process; and what a call costs that has to wake the server first.
 * @module
 */
import { type McpSession, openSession } from "../../test/support/mcp.ts";
import { toolCall } from "../../test/support/messages.ts";
import type { Part } from "../lib/part.ts";
import { checkComplete, lastIdIn, readMessages } from "../lib/sse.ts";
import { brief, interleaved, median, spread } from "../lib/stats.ts";
import { floor, holdfast, mcpAgent, type Running, type Subject } from "../lib/subjects.ts";

type After = "nothing" | "eviction" | "SIGKILL";

interface BackRow {
  subject: string;
  after: After;
  waiting: number;
  firstMs: number;
  lastMs: number;
  spread: number;
}

interface WakeRow {
  subject: string;
  tools: number;
  /** Where the tools' schemas are made. */
  schemas: "outside" | "inside" | "–";
  awakeMs: number;
  wakingMs: number;
  wakeMs: number;
}

const PATIENCE_MS = 20_000;

async function end({ url, restart }: Running, { id }: McpSession, after: After): Promise<void> {
  if (after === "eviction") await (await fetch(`${url}/__bench/abort?session=${id}`)).arrayBuffer();
  if (after === "SIGKILL") await restart();
}

/** Reads until the stream has carried a message, and leaves with its id. */
async function firstId(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  let text = "";
  for (let id = lastIdIn(text); ; id = lastIdIn(text)) {
    if (id !== undefined && text.includes("data: {") && text.endsWith("\n\n")) {
      await reader?.cancel();
      return id;
    }
    const { value, done = true } = (await reader?.read()) ?? {};
    if (done) throw new Error(`the stream ended before its first id: ${text}`);
    text += Buffer.from(value ?? []).toString();
  }
}

/** A session whose stream was open once, with so many messages sent since. */
async function leaveWaiting(
  url: string,
  waiting: number,
): Promise<{ session: McpSession; lastEventId: string }> {
  const session = await openSession(url);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const listening = await fetch(`${url}/mcp`, {
    headers: { Accept: "text/event-stream", ...session.headers },
    signal,
  });
  // An event that was seen: McpAgent knows no stream without one.
  const seeing = firstId(listening);
  await (await session.post(toolCall("emit", { count: 1, on: "standalone" }))).text();
  const lastEventId = await seeing;
  if (waiting > 0) await (await session.post(toolCall("emit", { count: waiting, on: "standalone" }))).text();
  return { session, lastEventId };
}

async function resume(
  server: Running,
  waiting: number,
  after: After,
): Promise<{ firstMs: number; lastMs: number }> {
  const { session, lastEventId } = await leaveWaiting(server.url, waiting);
  await end(server, session, after);
  const from = performance.now();
  const response = await fetch(`${server.url}/mcp`, {
    headers: { Accept: "text/event-stream", ...session.headers, "Last-Event-ID": lastEventId },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  // With nothing waiting: to the first byte of the stream that stands again.
  if (waiting === 0) {
    const reader = response.body?.getReader();
    await reader?.read();
    const firstMs = performance.now() - from;
    await reader?.cancel();
    return { firstMs, lastMs: firstMs };
  }
  const read = await readMessages(response, waiting);
  checkComplete(`${waiting} waiting, after ${after}`, read.text, waiting);
  return { firstMs: read.firstAt - from, lastMs: read.lastAt - from };
}

/** A call with the server awake, and one that has to wake it: the difference is the waking. */
async function wake(server: Running, session: McpSession): Promise<{ awakeMs: number; wakingMs: number }> {
  const timed = async (): Promise<number> => {
    const from = performance.now();
    const answer = await session.post(toolCall("echo", { text: "hello" }));
    if (!(await answer.text()).includes("hello")) throw new Error(`echo was answered ${answer.status}`);
    return performance.now() - from;
  };
  await timed();
  const awakeMs = await timed();
  await end(server, session, "eviction");
  return { awakeMs, wakingMs: await timed() };
}

/** Who is woken. */
interface Sleeper extends Pick<WakeRow, "tools" | "schemas"> {
  readonly subject: Subject;
  readonly vars?: Readonly<Record<string, string>>;
}

const SLEEPERS: readonly Sleeper[] = [
  { subject: floor, tools: 0, schemas: "–" },
  { subject: holdfast, tools: 0, schemas: "–", vars: { BENCH_SERVER: "bare" } },
  { subject: holdfast, tools: 1, schemas: "outside", vars: { BENCH_SERVER: "1" } },
  { subject: holdfast, tools: 10, schemas: "outside", vars: { BENCH_SERVER: "10" } },
  { subject: holdfast, tools: 10, schemas: "inside", vars: { BENCH_SERVER: "10+schemas" } },
  { subject: holdfast, tools: 100, schemas: "outside", vars: { BENCH_SERVER: "100" } },
  { subject: holdfast, tools: 100, schemas: "inside", vars: { BENCH_SERVER: "100+schemas" } },
  { subject: mcpAgent, tools: 2, schemas: "inside" },
];

/** All of them side by side, in every round. */
async function wakeAll(rounds: number): Promise<WakeRow[]> {
  const open: { sleeper: Sleeper; server: Running; session: McpSession }[] = [];
  try {
    for (const sleeper of SLEEPERS) {
      const server = await sleeper.subject.start(sleeper.vars);
      open.push({ sleeper, server, session: await openSession(server.url) });
    }
    // The first few compile what is used.
    for (const { server, session } of open) for (let n = 0; n < 5; n++) await wake(server, session);
    const taken = await interleaved(open, rounds, ({ server, session }) => wake(server, session));
    return [...taken].map(([{ sleeper }, times]) => {
      const awakeMs = median(times.map((time) => time.awakeMs));
      const wakingMs = median(times.map((time) => time.wakingMs));
      const { subject, tools, schemas } = sleeper;
      return { subject: subject.name, tools, schemas, awakeMs, wakingMs, wakeMs: wakingMs - awakeMs };
    });
  } finally {
    for (const { server } of open) await server.close();
  }
}

export const back: Part = {
  name: "back",
  what: "from the reconnect to the first and the last event that waited; from an evicted object to its first answer",
  async run({ quick, say }) {
    const rows: BackRow[] = [];
    const wakes: WakeRow[] = [];
    const counts = quick ? [0, 100] : [0, 100, 1000];
    const servers = new Map<Subject, Running>();
    try {
      for (const subject of [holdfast, mcpAgent]) servers.set(subject, await subject.start());
      for (const server of servers.values())
        for (let n = 0; n < 10; n++) await resume(server, 10, n % 2 === 0 ? "nothing" : "eviction");
      for (const after of ["nothing", "eviction", "SIGKILL"] as const) {
        for (const waiting of counts) {
          for (const [subject, server] of servers) {
            // McpAgent's stream says nothing until there is something to say.
            if (subject === mcpAgent && waiting === 0) continue;
            say(`${subject.name}: ${waiting} waiting, after ${after}`);
            const taken: { firstMs: number; lastMs: number }[] = [];
            try {
              for (let round = quick ? 3 : after === "SIGKILL" ? 5 : 9; round > 0; round--)
                taken.push(await resume(server, waiting, after));
            } catch (error) {
              if (subject !== mcpAgent) throw error;
              say(`${subject.name}: ${String(error)}`);
              taken.push({ firstMs: Number.NaN, lastMs: Number.NaN });
            }
            const firsts = taken.map(({ firstMs }) => firstMs);
            rows.push({
              subject: subject.name,
              after,
              waiting,
              firstMs: median(firsts),
              lastMs: median(taken.map(({ lastMs }) => lastMs)),
              spread: spread(firsts),
            });
          }
        }
      }
      for (const server of servers.values()) await server.close();
      servers.clear();
      say("calls that wake their server");
      wakes.push(...(await wakeAll(quick ? 7 : 21)));
    } finally {
      for (const server of servers.values()) await server.close();
    }
    return { rows: [...rows, ...wakes], verdicts: [] };
  },
  show: (rows) =>
    (rows as (BackRow | WakeRow)[]).map((row) =>
      "after" in row
        ? {
            subject: row.subject,
            after: row.after,
            waiting: row.waiting,
            "first ms": brief(row.firstMs),
            "last ms": brief(row.lastMs),
            "± %": brief((row.spread * 100) / 2),
          }
        : {
            subject: row.subject,
            tools: row.tools,
            schemas: row.schemas,
            "call, awake ms": brief(row.awakeMs),
            "call, waking ms": brief(row.wakingMs),
            "waking ms": brief(row.wakeMs),
          },
    ),
};
