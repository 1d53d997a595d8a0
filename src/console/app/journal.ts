/** What has happened, twice: the wire, message by message, and the life of the session on it. Both have bounds. @module */
import { signal } from "@preact/signals";

/** The kinds of log entries, each with a colour of its own. */
export const KINDS = [
  "status",
  "sent",
  "response",
  "notification",
  "request",
  "event",
  "comment",
  "error",
] as const;
/** A kind of log entry. */
export type Kind = (typeof KINDS)[number];

/** One line of the wire log. */
export interface Entry {
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: Kind;
  /** In one line, what it is about. */
  readonly title: string;
  /** Exactly what went over the wire; undefined for what the title says whole. */
  readonly raw: string | undefined;
  /** From the request to this answer. */
  readonly ms: number | undefined;
}

const MAX_ENTRIES = 1000;
/** Characters: messages are up to 16 MiB, and a page that keeps a thousand of them is gone. */
const MAX_KEPT = 48_000_000;

/** The wire log, oldest first. */
export const entries = signal<readonly Entry[]>([]);
let lastEntry = 0;

/** Notes what went over the wire, or what became of it. */
export function log(kind: Kind, title: string, more: { raw?: string; ms?: number } = {}): void {
  const entry: Entry = { n: ++lastEntry, at: Date.now(), kind, title, raw: more.raw, ms: more.ms };
  let kept = [...entries.value, entry].slice(-MAX_ENTRIES);
  let size = kept.reduce((sum, { raw }) => sum + (raw?.length ?? 0), 0);
  while (size > MAX_KEPT && kept.length > 1) {
    size -= kept[0]?.raw?.length ?? 0;
    kept = kept.slice(1);
  }
  entries.value = kept;
}

/** What a moment of a session's life is. */
export type MarkKind =
  | "open"
  | "call"
  | "event"
  | "answer"
  | "drop"
  | "redial"
  | "resume"
  | "gap"
  | "cut"
  | "deploy"
  | "cancel"
  | "error"
  | "end";

/** A moment of the session's life, or several of one kind that followed each other closely. */
export interface Mark {
  readonly n: number;
  readonly at: number;
  readonly kind: MarkKind;
  /** The lane it happened on; undefined for what concerns all of the session. */
  readonly lane: number | undefined;
  readonly text: string;
  /** The event's id, or the last one of several. */
  readonly eventId: string | undefined;
  /** How many events it stands for. */
  readonly count: number;
  /** When the last of them came. */
  readonly until: number;
}

/** A stretch of a lane's time: connected, or on the way back, or cut by hand. */
export interface Stretch {
  readonly from: number;
  readonly to: number | undefined;
  readonly state: "open" | "away" | "cut";
}

/** One stream over all its connections. */
export interface Lane {
  readonly n: number;
  readonly title: string;
  /** It lasts as long as its session; a call's does not. */
  readonly stands: boolean;
  readonly stretches: readonly Stretch[];
  /** Events that came, that never came (by their ids), and that came twice. */
  readonly events: number;
  readonly lost: number;
  readonly doubled: number;
}

const MAX_MARKS = 1000;
const MAX_LANES = 60;
/** Marks of one kind on one lane that follow each other within this time are one mark, with a number. */
const MERGED: Partial<Record<MarkKind, number>> = { event: 1500, redial: 60_000 };

/** How far back a mark may be that another is merged into. */
const NEAR = 8;
const NO_LANE = 0;

/** The session's moments, oldest first. */
export const marks = signal<readonly Mark[]>([]);
/** The session's streams, in the order in which they began. */
export const lanes = signal<readonly Lane[]>([]);
let lastMark = 0;
let lastLane = 0;

/** Notes a moment of the session's life. */
export function mark(
  kind: MarkKind,
  text: string,
  more: { lane?: number; eventId?: string | undefined } = {},
): void {
  if (more.lane === NO_LANE) return;
  const at = Date.now();
  // Streams do the same at the same time, so the mark to grow may not be the last one, but is its lane's last.
  const near = marks.value.slice(-NEAR).findLastIndex(({ lane }) => lane === more.lane);
  const index = marks.value.length - Math.min(NEAR, marks.value.length) + near;
  const last = near < 0 ? undefined : marks.value[index];
  if (last?.kind === kind && at - last.until < (MERGED[kind] ?? 0)) {
    const eventId = more.eventId ?? last.eventId;
    const grown = { ...last, count: last.count + 1, until: at, eventId };
    marks.value = marks.value.with(index, grown);
    return;
  }
  const next = { n: ++lastMark, at, until: at, kind, text, lane: more.lane, eventId: more.eventId, count: 1 };
  marks.value = [...marks.value, next].slice(-MAX_MARKS);
}

/** Opens a lane, for a stream that lasts as long as its session where nothing else is said. */
export function openLane(title: string, stands: boolean = true): number {
  const lane: Lane = { n: ++lastLane, title, stands, stretches: [], events: 0, lost: 0, doubled: 0 };
  lanes.value = [...lanes.value, lane].slice(-MAX_LANES);
  return lane.n;
}

/** A lane for what has a name; what has none (a ping, a list, a poll) has no place in the timeline either. */
export function laneOf(title: string | undefined): number {
  return title === undefined ? NO_LANE : openLane(title, false);
}

/** From now on the lane is in this state; undefined: it is over. */
export function laneIs(n: number, state: Stretch["state"] | undefined): void {
  const at = Date.now();
  changeLane(n, (lane) => {
    const current = lane.stretches.at(-1);
    if (current?.to === undefined && current?.state === state) return lane;
    const past = lane.stretches.map((stretch) =>
      stretch.to === undefined ? { ...stretch, to: at } : stretch,
    );
    return { ...lane, stretches: state === undefined ? past : [...past, { from: at, to: undefined, state }] };
  });
}

/** An event came on the lane; what its id says of those before it. */
export function countEvent(n: number, { lost, doubled }: { lost: number; doubled: boolean }): void {
  changeLane(n, (lane) => ({
    ...lane,
    events: lane.events + 1,
    lost: lane.lost + lost,
    doubled: lane.doubled + (doubled ? 1 : 0),
  }));
}

function changeLane(n: number, change: (lane: Lane) => Lane): void {
  lanes.value = lanes.value.map((lane) => (lane.n === n ? change(lane) : lane));
}

/** Forgets the life of the session before: another begins. */
export function clearLife(): void {
  marks.value = [];
  lanes.value = [];
}
