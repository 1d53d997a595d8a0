/** What waits for the readers of streams that nobody can resume. */
import { afterEach, expect, test } from "vitest";
import { createLiveStream, type LiveStream } from "../../src/edge/live.ts";
import { resolveOptions } from "../../src/options.ts";

const MIB = 2 ** 20;
const settings = resolveOptions({ keepaliveIntervalMs: 0 });
const open: LiveStream[] = [];

function live(): LiveStream {
  const stream = createLiveStream(settings, new AbortController().signal);
  stream.write(new Uint8Array(1)).catch(() => {});
  open.push(stream);
  return stream;
}

/** Whether what is written is held for a reader that has not come. */
async function holds(stream: LiveStream, bytes: number): Promise<boolean> {
  stream.write(new Uint8Array(bytes)).catch(() => {});
  return (await Promise.race([stream.ended, Promise.resolve().then(() => "held")])) === "held";
}

afterEach(async () => {
  for (const stream of open.splice(0)) stream.end("done");
  await Promise.resolve();
});

test("all together it is bounded; those that end make room", async () => {
  const held = Array.from({ length: 4 }, live);
  for (const stream of held) expect(await holds(stream, 15 * MIB)).toBe(true);
  const late = live();
  late.write(new Uint8Array(15 * MIB)).catch(() => {});
  expect(await late.ended).toBe("overflow");
  held[0]?.end("done");
  await held[0]?.ended;
  expect(await holds(live(), 15 * MIB)).toBe(true);
});

test("a stream with little is not cut for those with much", async () => {
  for (let n = 0; n < 4; n++) expect(await holds(live(), 16 * MIB)).toBe(true);
  for (let n = 0; n < 100; n++) expect(await holds(live(), 60_000)).toBe(true);
});

test("what has been read is room again", async () => {
  const stream = live();
  const reader = stream.readable.getReader();
  for (let n = 0; n < 10; n++) {
    const written = stream.write(new Uint8Array(30 * MIB));
    for (let bytes = 0; bytes < 30 * MIB;) bytes += (await reader.read()).value?.length ?? Infinity;
    await written;
  }
  await reader.cancel();
  for (let n = 0; n < 4; n++) expect(await holds(live(), 15 * MIB)).toBe(true);
});
