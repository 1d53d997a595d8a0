/**
 * Room for what calls in flight hold. A server keeps a call's arguments for as long as the call runs, which may be hours,
 * whether its client is still there or not: without a bound, forty calls of 4 MB each end a process of 4 GB.
 *
 * Workers end a request whose client has left, or an object, without a word to its code. So whoever holds room shows
 * that it is alive, by a timer that stops with it, and where there is no room those are cleared away that do not.
 * @module
 */
import { type Budget, createBudget } from "./budget.ts";
import { createLimitNotice, type TellLimit } from "./limits.ts";
import type { Settings } from "./options.ts";

/** Gives the room back; once is enough, and more is no harm. */
export type Leave = () => void;

/** The room, as a multiple of `maxBodyBytesInFlight`: what is parsed takes more than its text, and lasts longer. */
const TIMES = 4;
/** What takes more than this is large. Large ones may take three quarters, so that the rest finds room. */
const LARGE = 1_048_576;
const LARGE_SHARE = 0.75;

/** Those who hold room show that they are alive this often, and are given up for dead after this long. */
const BEAT_MS = 4000;
const LIFE_MS = 10_000;

interface Holding {
  aliveUntil: number;
  readonly leave: Leave;
}

interface Room {
  readonly all: Budget;
  readonly large: Budget;
  readonly holdings: Set<Holding>;
  readonly tell: TellLimit;
}

/** One for each deployment in this isolate or process: calls of all eras, sessions and tasks share it. */
const rooms = new WeakMap<Settings, Room>();

const roomIn = ({ maxBodyBytesInFlight }: Settings): number => TIMES * maxBodyBytesInFlight;

function roomOf(settings: Settings): Room {
  let room = rooms.get(settings);
  if (room === undefined) {
    const bytes = roomIn(settings);
    const tell = createLimitNotice(settings.emit);
    room = { all: createBudget(bytes), large: createBudget(bytes * LARGE_SHARE), holdings: new Set(), tell };
    rooms.set(settings, room);
  }
  return room;
}

const NOTHING_HELD: Leave = () => {};

/**
 * Takes room for a call: at most all that there is for its kind, so that one that is alone always finds some.
 * @param bytes what it takes (`weigh`); nothing is held for 0
 * @returns undefined where there is none
 */
export function enterRoom(settings: Settings, bytes: number): Leave | undefined {
  if (bytes === 0) return NOTHING_HELD;
  const room = roomOf(settings);
  const isLarge = bytes > LARGE;
  const amount = Math.min(bytes, roomIn(settings) * (isLarge ? LARGE_SHARE : 1));
  if (!take(room, amount, isLarge)) {
    const now = Date.now();
    for (const holding of room.holdings) if (holding.aliveUntil < now) holding.leave();
    if (!take(room, amount, isLarge)) {
      room.tell("maxBodyBytesInFlight", settings.maxBodyBytesInFlight);
      return undefined;
    }
  }
  const leave = (): void => {
    clearInterval(beat);
    if (!room.holdings.delete(holding)) return;
    room.all.give(amount);
    if (isLarge) room.large.give(amount);
  };
  const holding: Holding = { aliveUntil: Date.now() + LIFE_MS, leave };
  const beat = setInterval(() => (holding.aliveUntil = Date.now() + LIFE_MS), BEAT_MS);
  // Nor does it keep a process that has nothing else to do.
  (beat as { unref?: () => void }).unref?.();
  room.holdings.add(holding);
  return leave;
}

function take({ all, large }: Room, amount: number, isLarge: boolean): boolean {
  if (isLarge && !large.take(amount)) return false;
  if (all.take(amount)) return true;
  if (isLarge) large.give(amount);
  return false;
}

/** Room that is taken, until its call is handed on to who gives it back. */
export interface Held {
  isHandedOn: boolean;
  readonly leave: Leave;
}

/** Runs `body` within the room for `bytes`, which is given back after it unless it was handed on; `full` where there is none. */
export async function inRoom<T>(
  settings: Settings,
  bytes: number,
  { full, body }: { readonly full: () => T; readonly body: (held: Held) => Promise<T> },
): Promise<T> {
  const leave = enterRoom(settings, bytes);
  if (leave === undefined) return full();
  const held: Held = { isHandedOn: false, leave };
  try {
    return await body(held);
  } finally {
    if (!held.isHandedOn) leave();
  }
}
