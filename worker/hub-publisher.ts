/**
 * Hands changes to the hub, in the order in which this isolate published them: one publication at a
 * time, and what is published meanwhile goes with the next.
 *
 * The request that publishes also carries: it waits its turn and sends whatever is due then. A request
 * that is cut off while it sends holds the others up for a moment only.
 * @module
 */
import type { Change } from "../src/changes.ts";
import type { EventSink } from "../src/events.ts";
import { messageOf } from "../src/log-text.ts";
import type { Publication } from "./hub-wire.ts";

/** Which topic, and the way to its hub. */
export interface PublisherOptions {
  readonly topic: string;
  /** Sends a publication; rejects where the hub may not have got it. */
  readonly send: (publication: Publication) => Promise<void>;
  /** Keeps the request alive until the promise settles. */
  readonly background: (work: Promise<void>) => void;
  readonly emit: EventSink;
}

/** Most changes, and about the most characters, of one publication: it is one row in the hub's storage. */
const MOST = 100;
const SIZE = 524_288;
/** Most changes that wait for a hub that cannot be reached. */
const MOST_WAITING = 10_000;
/** After this long a publication's request is taken for cut off. */
const STUCK_MS = 10_000;
/** Pauses before a publication is sent once more: a hub that is reset comes back within moments. */
const AGAIN_AFTER_MS = [0, 50, 250, 1000, 3000];

/** Publishes in order, while requests last. */
export interface Publisher {
  /** Never throws, and waits for nobody. */
  publish(change: Change): void;
  isIdle(): boolean;
}

/** Nothing waits at first. */
export function createPublisher({ topic, send, background, emit }: PublisherOptions): Publisher {
  const waiting: Change[] = [];
  /** The publication under way; replaced where it is taken for lost. */
  let current: object | undefined;
  /** Requests that wait for their turn, each on a promise of its own. */
  const turns = new Set<() => void>();
  let isCarrying = false;

  const failed = (changes: number, error: unknown): void =>
    emit("listen.publish_failed", { topic, changes, message: messageOf(error) });

  const deliver = async (changes: readonly Change[]): Promise<void> => {
    const id = crypto.randomUUID();
    let failure: unknown;
    for (const [attempt, ms] of AGAIN_AFTER_MS.entries()) {
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      try {
        return await send({ id, changes, again: attempt > 0 });
      } catch (error) {
        failure = error;
      }
    }
    failed(changes.length, failure);
  };

  const turn = async (): Promise<void> => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let take = (): void => {};
    const held = current;
    await new Promise<void>((resolve) => {
      take = resolve;
      turns.add(take);
      timer = setTimeout(resolve, STUCK_MS);
    });
    if (timer !== undefined) clearTimeout(timer);
    // Still there unless the turn was given: nobody gave it for too long.
    if (turns.delete(take) && current === held) current = undefined;
  };

  const carry = async (): Promise<void> => {
    // What is published in one go is sent in one.
    await Promise.resolve();
    while (waiting.length > 0) {
      if (current !== undefined) {
        await turn();
        continue;
      }
      const mine = (current = {});
      await deliver(takeSome(waiting));
      if (current === mine) current = undefined;
      for (const take of turns) take();
      turns.clear();
    }
  };

  return {
    publish(change) {
      if (waiting.length === MOST_WAITING) return failed(1, new Error("too many changes wait for the hub"));
      waiting.push(change);
      // One carrier for all that is published in one go, which is one request's doing.
      if (isCarrying) return;
      isCarrying = true;
      queueMicrotask(() => (isCarrying = false));
      try {
        background(carry());
      } catch (error) {
        failed(waiting.splice(0).length, error);
      }
    },
    isIdle: () => waiting.length === 0 && current === undefined,
  };
}

function takeSome(waiting: Change[]): Change[] {
  let size = 0;
  let count = 0;
  for (const change of waiting) {
    size += JSON.stringify(change).length;
    if (count === MOST || (count > 0 && size > SIZE)) break;
    count += 1;
  }
  return waiting.splice(0, count);
}
