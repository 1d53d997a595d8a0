/**
 * Follows one stream over as many connections as it takes: tells of each event, drop, attempt and resume, and can be
 * cut and brought back by hand.
 * @module
 */
import { countEvent, laneIs, log, mark } from "../journal.ts";
import { createOrder } from "./order.ts";
import { type Place, readEvents } from "./sse.ts";

/** What a stream is, and who hears of it. */
export interface FollowOptions {
  readonly lane: number;
  /** Over: nothing is followed any more. */
  readonly over: AbortSignal;
  /** The first connection. */
  readonly open: (signal: AbortSignal) => Promise<Response>;
  /** A later one, after this event. Undefined: there is none, the stream does not outlive its connection. */
  readonly reopen: ((lastEventId: string, signal: AbortSignal) => Promise<Response>) | undefined;
  /** Without an event's id there is nothing to come back to: so it is for the answer to one request. */
  readonly needsId: boolean;
  readonly hear: (data: string, type: string) => void;
  readonly isDone: () => boolean;
  /** The first answer, where it is a stream. */
  readonly onFirst?: (response: Response) => void;
  readonly onResumed?: () => void;
  readonly onState?: (state: "open" | "away" | "cut") => void;
  /** Another answer than a stream, to the first connection or to a later one; returns why nothing is followed. */
  readonly onAnswer: (response: Response, isFirst: boolean) => Promise<string>;
}

/** A stream that is followed. */
export interface Stream {
  /** Settles once nothing is followed any more: undefined where the stream is done, else why it is not. */
  readonly ended: Promise<string | undefined>;
  cut(): void;
  /** Comes back at once, to where it was or to this event; a connection that is up is cut first. */
  resume(from?: string): void;
  lastEventId(): string;
}

const isStream = (response: Response): boolean =>
  response.ok && (response.headers.get("Content-Type") ?? "").startsWith("text/event-stream");

/** @throws nothing: `ended` says how it went */
export function follow(options: FollowOptions): Stream {
  const { lane, over, open, reopen, needsId, hear, isDone, onAnswer } = options;
  const { onFirst = () => {}, onResumed = () => {}, onState = () => {} } = options;
  const place: Place = { lastEventId: "", retryMs: 1000 };
  let order = createOrder();
  let connection = new AbortController();
  /** While it is cut by hand: what ends that. */
  let cut: PromiseWithResolvers<void> | undefined;

  const read = async (response: Response): Promise<void> => {
    if (response.body === null) return;
    for await (const event of readEvents(response.body, place)) {
      if ("comment" in event) {
        log("comment", event.comment);
        if (event.comment.startsWith("gap")) mark("gap", event.comment, { lane });
        continue;
      }
      // An event without data, which gives a place to come back to, is none of the numbered ones.
      const seen = order.next(event.id);
      if (event.data !== "") {
        countEvent(lane, seen);
        mark("event", event.type, { lane, eventId: event.id });
      }
      if (event.type !== "message") log("event", `${event.type} ${event.data}`);
      if (event.data !== "") hear(event.data, event.type);
    }
  };

  /** Until the next connection is there, or an answer that is none. */
  const comeBack = async (how: NonNullable<typeof reopen>): Promise<Response> => {
    const since = Date.now();
    for (let attempt = 1; ; attempt++) {
      if (cut === undefined) {
        onState("away");
        await pause(place.retryMs, AbortSignal.any([over, connection.signal])).catch(() => {});
      }
      if (cut !== undefined) {
        laneIs(lane, "cut");
        onState("cut");
        await Promise.race([cut.promise, aborted(over)]);
        cut = undefined;
      }
      if (over.aborted) throw over.reason;
      connection = new AbortController();
      mark(
        "redial",
        place.lastEventId === "" ? "dials again" : `dials again, after event ${place.lastEventId}`,
        {
          lane,
        },
      );
      try {
        const response = await how(place.lastEventId, AbortSignal.any([over, connection.signal]));
        if (!isStream(response)) return response;
        const from = place.lastEventId === "" ? "" : ` from ${place.lastEventId}`;
        const took = ((Date.now() - since) / 1000).toFixed(1);
        mark("resume", `resumed${from} after ${took} s`, { lane, eventId: place.lastEventId });
        log("status", `The stream is resumed${from} after ${took} s`);
        laneIs(lane, "open");
        onState("open");
        onResumed();
        return response;
      } catch {
        // An error status is an answer; only a server that cannot be reached is tried again.
        if (over.aborted) throw over.reason;
      }
    }
  };

  const run = async (): Promise<string | undefined> => {
    let response = await open(AbortSignal.any([over, connection.signal]));
    if (!isStream(response)) return onAnswer(response, true);
    onFirst(response);
    laneIs(lane, "open");
    onState("open");
    for (;;) {
      let why = "its end was reached";
      try {
        await read(response);
      } catch (error) {
        if (over.aborted) throw error;
        why = cut === undefined ? reasonOf(error) : "cut by hand";
      }
      if (isDone()) return undefined;
      laneIs(lane, cut === undefined ? "away" : "cut");
      if (cut === undefined) mark("drop", `connection lost: ${why}`, { lane });
      else mark("cut", "connection cut", { lane, eventId: place.lastEventId });
      if (reopen === undefined) return "the connection broke, and this era has no resume";
      if (needsId && place.lastEventId === "") return "the connection broke before an event had an id";
      log(
        "status",
        cut === undefined
          ? `The stream ended; it is resumed in ${place.retryMs} ms`
          : "The connection was cut",
      );
      response = await comeBack(reopen);
      if (!isStream(response)) return onAnswer(response, false);
    }
  };

  const ended = run()
    .catch((error: unknown) => (over.aborted ? "it was ended" : reasonOf(error)))
    .finally(() => laneIs(lane, undefined));

  return {
    ended,
    cut() {
      cut ??= Promise.withResolvers<void>();
      connection.abort(new Error("cut by hand"));
    },
    resume(from) {
      if (from !== undefined && from !== "") {
        place.lastEventId = from;
        // What comes again was asked for again, and is not doubled.
        order = createOrder();
      }
      // What follows it takes the cut away, once it has seen that it was one.
      this.cut();
      cut?.resolve();
    },
    lastEventId: () => place.lastEventId,
  };
}

/** What an error says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Waits; rejects where the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const fail = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", fail);
      resolve();
    }, ms);
    signal.addEventListener("abort", fail, { once: true });
  });
}

/** Cuts and resumes streams together. An event's id is for the stream that it names, or for the only one there is. */
export function resumeAll(streams: ReadonlySet<Stream>, from: string | undefined): void {
  if (from === undefined || from === "") {
    for (const stream of streams) stream.resume();
    return;
  }
  const of = (id: string): string => id.slice(0, id.lastIndexOf("."));
  const named = [...streams].filter((stream) => of(stream.lastEventId()) === of(from));
  for (const stream of named.length > 0 ? named : [...streams].slice(0, 1)) stream.resume(from);
}
