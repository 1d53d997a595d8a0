/** What must hold of every sequence, whatever happened in it. @module */
import { filling, type BurstData } from "../support/test-server.ts";
import type { Message } from "../support/messages.ts";
import { answerOf, type Call } from "./client.ts";
import type { Played } from "./player.ts";
import type { Burst } from "./steps.ts";
import type { Received, Track } from "./track.ts";

/** All that is wrong with what a client received; nothing for a sequence that held. */
export function violations(played: Played): string[] {
  const found: string[] = [];
  const { standalone, calls, dropped } = played;
  const say = (text: string): void => void found.push(text);

  for (const name of dropped) say(`${name}: the server dropped a connection`);
  for (const track of [standalone, ...calls.map(({ track }) => track)]) {
    for (const { comments } of track.connections) {
      for (const text of comments) if (text.startsWith("gap")) say(`${track.name}: ${text}`);
    }
  }

  const heard = inOrder(standalone, say);
  matchStored(standalone.name, heard, storedOf(played, Number(sessionRow(played)["standalone"])), say);
  const messages = heard.map(({ data }) => JSON.parse(data) as Message);
  const bursts = new Map<string, BurstData[]>();
  for (const message of messages) {
    const data = dataOf(message);
    if (data === undefined) say(`standalone: carries ${JSON.stringify(message).slice(0, 200)}`);
    else bursts.set(data.tag, [...(bursts.get(data.tag) ?? []), data]);
  }

  for (const call of calls) {
    const own = inOrder(call.track, say);
    const [first] = own;
    if (first !== undefined) matchStored(call.id, own, storedOf(played, first.stream), say, call.lost);
    checkAnswer(call, own, say);
    if (call.burst === undefined) continue;
    const sent =
      call.burst.on === "standalone"
        ? (bursts.get(call.tag) ?? [])
        : own.map(({ data }) => dataOf(JSON.parse(data) as Message)).filter((data) => data !== undefined);
    checkBurst(call, call.burst, sent, say);
    bursts.delete(call.tag);
  }
  for (const tag of bursts.keys()) say(`standalone: carries ${tag}, which is not its own`);
  return found;
}

/** A stream's messages, each once, without a gap, in order within each connection; what is not so is said. */
function inOrder(track: Track, say: (text: string) => void): Received[] {
  const runs = track.runs();
  for (const run of runs) {
    for (const [index, { seq, stream }] of run.entries()) {
      const previous = run[index - 1];
      if (previous !== undefined && (seq !== previous.seq + 1 || stream !== previous.stream)) {
        say(`${track.name}: ${seq} came after ${previous.seq} on one connection`);
      }
    }
  }
  const all = runs.flat().sort((a, b) => a.seq - b.seq);
  for (const [index, { seq }] of all.entries()) {
    if (seq !== index + 1) {
      const places = runs.map((run) => `${run[0]?.seq ?? "-"}..${run.at(-1)?.seq ?? "-"}`).join(", ");
      say(`${track.name}: not every message once: ${places}`);
      break;
    }
  }
  return all;
}

/** Everything that was stored was received, and nothing else. */
function matchStored(
  name: string,
  received: readonly Received[],
  stored: readonly string[],
  say: (text: string) => void,
  isPrefix = false,
): void {
  if (isPrefix ? received.length > stored.length : received.length !== stored.length) {
    say(`${name}: ${received.length} received, ${stored.length} stored`);
  }
  if (received.some(({ data }, index) => data !== stored[index]))
    say(`${name}: received is not what was stored`);
}

/** One answer, the last message of its stream: the result, or, where its isolate may have died, one error. */
function checkAnswer(call: Call, own: readonly Received[], say: (text: string) => void): void {
  const answers = own
    .map(({ data }) => JSON.parse(data) as Message)
    .filter(({ method }) => method === undefined);
  const count = answers.length + (call.json === undefined ? 0 : 1);
  if (count !== (call.lost ? 0 : 1)) say(`${call.id}: ${count} answers`);
  const answer = answerOf(call);
  if (answer === undefined) return;
  if (answer.id !== call.id) say(`${call.id}: answered as ${answer.id}`);
  const { reason } = (answer.error?.data ?? {}) as { reason?: string };
  if (answer.error === undefined) return;
  if (reason !== "interrupted" || !call.disturbed)
    say(`${call.id}: answered ${JSON.stringify(answer.error)}`);
}

/** A burst arrives as 1, 2, 3 …, whole unless it was disturbed; a call that has its result was whole. */
function checkBurst(
  call: Call,
  { sizes, on }: Burst,
  sent: readonly BurstData[],
  say: (text: string) => void,
): void {
  const intact = sent.every(
    (data, index) =>
      data.tag === call.tag &&
      data.n === index + 1 &&
      data.filling === filling(call.tag, data.n, sizes[index] ?? 0),
  );
  if (!intact) say(`${call.id}: received ${sent.map(({ n }) => n).join(" ")} of ${sizes.length}`);
  const hasResult = answerOf(call)?.result !== undefined;
  const isWhole =
    on === "request" ? hasResult || !(call.disturbed || call.lost) : !(call.disturbed || call.lost);
  if (isWhole && sent.length !== sizes.length) say(`${call.id}: ${sent.length} of ${sizes.length} messages`);
}

function dataOf({ method, params }: Message): BurstData | undefined {
  return method === "notifications/message" ? (params?.["data"] as BurstData) : undefined;
}

function sessionRow({ stored }: Played): Readonly<Record<string, unknown>> {
  return stored.tables["session"]?.[0] ?? {};
}

/** What the storage holds of a stream, in order. */
function storedOf({ stored }: Played, stream: number): string[] {
  const rows = (stored.tables["event"] ?? []) as {
    stream: number;
    seq: number;
    part: number;
    data: string;
  }[];
  const texts = new Map<number, string>();
  for (const row of rows
    .filter((row) => row.stream === stream)
    .sort((a, b) => a.seq - b.seq || a.part - b.part)) {
    texts.set(row.seq, (texts.get(row.seq) ?? "") + row.data);
  }
  return [...texts.values()];
}
