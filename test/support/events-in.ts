/** The structured events among what a server printed. @module */

export interface PrintedEvent {
  type: string;
  [field: string]: unknown;
}

/** Of each log: how many of its lines have been read, the last of them, and the events among them. */
const read = new WeakMap<
  readonly string[],
  { count: number; last: string | undefined; events: PrintedEvent[] }
>();

/** Each line is parsed once, however often a test looks that waits for one. A log may be emptied in between. */
export function eventsIn(lines: readonly string[]): PrintedEvent[] {
  let known = read.get(lines);
  if (known === undefined || lines[known.count - 1] !== known.last) {
    known = { count: 0, last: undefined, events: [] };
    read.set(lines, known);
  }
  for (; known.count < lines.length; known.count++) {
    known.last = lines[known.count];
    if (known.last?.startsWith('{"type"') === true) known.events.push(JSON.parse(known.last) as PrintedEvent);
  }
  return [...known.events];
}
