/** An event stream as the benchmarks read it: chunks are kept, and looked at once the clock has stopped. @module */

const DATA = Buffer.from("data: {");

/** What came, and when. */
export interface Read {
  readonly events: number;
  readonly bytes: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly text: string;
}

/** Reads until as many messages have come, or to the end; the rest of the body is given up. */
export async function readMessages(response: Response, count: number): Promise<Read> {
  if (response.body === null || !response.ok)
    throw new Error(`no stream: ${response.status} ${await response.text()}`);
  const chunks: Buffer[] = [];
  let rest = Buffer.alloc(0);
  let events = 0;
  let bytes = 0;
  let firstAt = Number.NaN;
  const reader = response.body.getReader();
  while (events < count) {
    const { value, done } = await reader.read();
    if (done) break;
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    chunks.push(chunk);
    bytes += chunk.length;
    // A mark may be cut in two; one that lies in `rest` whole is not there.
    const whole = Buffer.concat([rest, chunk]);
    for (let at = whole.indexOf(DATA); at !== -1; at = whole.indexOf(DATA, at + DATA.length)) events += 1;
    rest = whole.subarray(-(DATA.length - 1));
    if (events > 0 && Number.isNaN(firstAt)) firstAt = performance.now();
  }
  const lastAt = performance.now();
  void reader.cancel().catch(() => {});
  return { events, bytes, firstAt, lastAt, text: Buffer.concat(chunks).toString() };
}

/** The numbers that the notifications of a burst carry, in order of arrival. */
export function numbersIn(text: string): number[] {
  return Array.from(text.matchAll(/"data":\{"n":(\d+)/g), ([, n]) => Number(n));
}

/** Rejects unless exactly 1 to `count` came, in order: a figure for less says nothing. */
export function checkComplete(what: string, text: string, count: number): void {
  const numbers = numbersIn(text);
  const wrong = numbers.findIndex((n, index) => n !== index + 1);
  if (numbers.length !== count || wrong !== -1)
    throw new Error(`${what}: ${numbers.length} of ${count} notifications, out of order from ${wrong}`);
}

/** The last event id in a text. */
export function lastIdIn(text: string): string | undefined {
  return Array.from(text.matchAll(/^id: ?(.+)$/gm)).at(-1)?.[1];
}
