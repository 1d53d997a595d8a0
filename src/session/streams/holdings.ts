/**
 * What the streams of a session hold together, and what goes first where that is more than the session may keep.
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import { owedBy } from "./owed.ts";
import { createQuota, type Excess, type Kept, type Quota, type QuotaLimits } from "./quota.ts";
import { type LogExtent, PART, type SurveyedLog } from "../store/schema.ts";
import type { SessionStore } from "../store/store.ts";
import type { Stream } from "./stream.ts";

/** Where the streams are, and what they may keep. */
export interface HoldingsOptions {
  readonly store: SessionStore;
  readonly limits: QuotaLimits;
}

/** The streams, as their holdings look at them. */
export interface Held {
  /** The stream, if it is open. */
  opened(id: number): Stream | undefined;
  find(id: number): Stream | undefined;
}

/** What the streams of a session keep, and what may go of it. Reads nothing before there is something to keep. */
export class Holdings {
  readonly quota: Quota;
  readonly #store: SessionStore;
  readonly #streams: Held;
  #found: Map<number, LogExtent> | undefined;
  /** Characters of the requests that are kept, by stream. */
  #requests: Map<number, number> | undefined;

  constructor({ store, limits }: HoldingsOptions, streams: Held) {
    this.#store = store;
    this.#streams = streams;
    const shed = (excess: () => Excess): void => store.transaction(() => this.#shed(excess));
    this.quota = createQuota(limits, () => this.#load(), shed);
  }

  /** What the log of a stream held as this isolate first looked; right for one that is not open since. */
  extent(stream: number): LogExtent | undefined {
    return this.#extents().get(stream);
  }

  /** A look at all logs, in one reading. */
  survey(before: number): SurveyedLog[] {
    const logs = this.#store.survey(before);
    this.#note(logs);
    return logs;
  }

  /** Forgets events of a stream that is not open; returns the ids that they answered. */
  trim(log: SurveyedLog, seq: number): RequestId[] {
    const deleted = this.#store.deleteThrough(log.stream, seq);
    this.quota.count(log.first - seq - 1, -deleted.bytes);
    const extents = this.#extents();
    if (seq >= log.last) extents.delete(log.stream);
    else extents.set(log.stream, { first: seq + 1, last: log.last, bytes: log.bytes - deleted.bytes });
    return deleted.answered;
  }

  /** The request as it is to be kept, so that it can run again; null where there is no room for it. */
  keep(stream: number, request: string | null): string | null {
    // Without it the call ends with an error after a restart, and does not run again.
    if (request === null || request.length > PART || !this.quota.fits(request.length)) return null;
    this.quota.count(0, request.length);
    (this.#requests ??= new Map()).set(stream, request.length);
    return request;
  }

  /** The request is not kept any longer. */
  unkeep(stream: number): void {
    const size = this.#requests?.get(stream);
    if (size === undefined) return;
    this.#requests?.delete(stream);
    this.quota.count(0, -size);
  }

  #note(logs: readonly SurveyedLog[]): Map<number, LogExtent> {
    return (this.#found ??= new Map(
      logs.map(({ stream, first, last, bytes }) => [stream, { first, last, bytes }]),
    ));
  }

  #extents(): Map<number, LogExtent> {
    return this.#found ?? this.#note(this.#store.survey(0));
  }

  #load(): Kept {
    const kept = { events: 0, bytes: 0 };
    for (const { first, last, bytes } of this.#extents().values()) {
      kept.events += last + 1 - first;
      kept.bytes += bytes;
    }
    for (const { stream, size } of this.#store.requestSizes()) {
      (this.#requests ??= new Map()).set(stream, size);
      kept.bytes += size;
    }
    return kept;
  }

  #shed(excess: () => Excess): void {
    const isEnough = (): boolean => excess().bytes <= 0 && excess().events <= 0;
    this.#shedAnswered(isEnough);
    if (!isEnough()) this.#shedOldest(excess());
  }

  /** Calls that are answered and that nobody is reading, whole. */
  #shedAnswered(isEnough: () => boolean): void {
    for (const stored of this.#store.streams()) {
      if (isEnough()) return;
      const isEmpty = stored.answered === null && stored.request === null;
      if (stored.kind !== "call" || isEmpty || owedBy(stored).length > 0) continue;
      const stream = this.#streams.find(stored.stream);
      if (stream === undefined || stream.outlet() !== undefined) continue;
      stream.shed(stream.log.last());
      if (stored.request === null) continue;
      this.#store.updateStream(stored.stream, { request: null });
      this.unkeep(stored.stream);
    }
  }

  /** The oldest events of all, one deletion for each stream. */
  #shedOldest({ events, bytes }: Excess): void {
    const cuts = new Map<number, number>();
    for (const event of this.#store.sizesByAge()) {
      if (bytes <= 0 && events <= 0) break;
      // As in each log: number alone takes nothing from a reader that is there.
      const needed = this.#streams.opened(event.stream)?.neededAfter() ?? Infinity;
      if (bytes <= 0 && event.seq > needed) continue;
      cuts.set(event.stream, event.seq);
      events -= 1;
      bytes -= event.bytes;
    }
    for (const [id, seq] of cuts) this.#streams.find(id)?.shed(seq);
  }
}
