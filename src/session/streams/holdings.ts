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

/** What the streams of a session keep, and what may go of it. */
export interface Holdings {
  readonly quota: Quota;
  /** What the log of a stream held as this isolate first looked; right for one that is not open since. */
  extent(stream: number): LogExtent | undefined;
  /** A look at all logs, in one reading. */
  survey(before: number): SurveyedLog[];
  /** Forgets events of a stream that is not open; returns the ids that they answered. */
  trim(log: SurveyedLog, seq: number): RequestId[];
  /** The request as it is to be kept, so that it can run again; null where there is no room for it. */
  keep(stream: number, request: string | null): string | null;
  /** The request is not kept any longer. */
  unkeep(stream: number): void;
}

/** Where the streams are, and what they may keep. */
export interface HoldingsOptions {
  readonly store: SessionStore;
  readonly limits: QuotaLimits;
  /** The stream, if it is open. */
  readonly peek: (id: number) => Stream | undefined;
  readonly find: (id: number) => Stream | undefined;
}

/** Reads nothing before there is something to keep. */
export function createHoldings({ store, limits, peek, find }: HoldingsOptions): Holdings {
  let found: Map<number, LogExtent> | undefined;
  /** Characters of the requests that are kept, by stream. */
  const requests = new Map<number, number>();

  const note = (logs: readonly SurveyedLog[]): Map<number, LogExtent> =>
    (found ??= new Map(logs.map(({ stream, first, last, bytes }) => [stream, { first, last, bytes }])));
  const extents = (): Map<number, LogExtent> => found ?? note(store.survey(0));

  const load = (): Kept => {
    const kept = { events: 0, bytes: 0 };
    for (const { first, last, bytes } of extents().values()) {
      kept.events += last + 1 - first;
      kept.bytes += bytes;
    }
    for (const { stream, size } of store.requestSizes()) {
      requests.set(stream, size);
      kept.bytes += size;
    }
    return kept;
  };

  const unkeep = (stream: number): void => {
    const size = requests.get(stream);
    if (size === undefined) return;
    requests.delete(stream);
    quota.count(0, -size);
  };

  /** Calls that are answered and that nobody is reading, whole. */
  const shedAnswered = (isEnough: () => boolean): void => {
    for (const stored of store.streams()) {
      if (isEnough()) return;
      const isEmpty = stored.answered === null && stored.request === null;
      if (stored.kind !== "call" || isEmpty || owedBy(stored).length > 0) continue;
      const stream = find(stored.stream);
      if (stream === undefined || stream.outlet() !== undefined) continue;
      stream.shed(stream.log.last());
      if (stored.request === null) continue;
      store.updateStream(stored.stream, { request: null });
      unkeep(stored.stream);
    }
  };

  /** The oldest events of all, one deletion for each stream. */
  const shedOldest = ({ events, bytes }: Excess): void => {
    const cuts = new Map<number, number>();
    for (const event of store.sizesByAge()) {
      if (bytes <= 0 && events <= 0) break;
      // As in each log: number alone takes nothing from a reader that is there.
      if (bytes <= 0 && event.seq > (peek(event.stream)?.neededAfter() ?? Infinity)) continue;
      cuts.set(event.stream, event.seq);
      events -= 1;
      bytes -= event.bytes;
    }
    for (const [id, seq] of cuts) find(id)?.shed(seq);
  };

  const shed = (excess: () => Excess): void => {
    const isEnough = (): boolean => excess().bytes <= 0 && excess().events <= 0;
    shedAnswered(isEnough);
    if (!isEnough()) shedOldest(excess());
  };

  const quota = createQuota(limits, load, (excess) => store.transaction(() => shed(excess)));

  return {
    quota,
    extent: (stream) => extents().get(stream),
    survey(before) {
      const logs = store.survey(before);
      note(logs);
      return logs;
    },
    trim(log, seq) {
      const deleted = store.deleteThrough(log.stream, seq);
      quota.count(log.first - seq - 1, -deleted.bytes);
      const isEmpty = seq >= log.last;
      if (isEmpty) extents().delete(log.stream);
      else extents().set(log.stream, { first: seq + 1, last: log.last, bytes: log.bytes - deleted.bytes });
      return deleted.answered;
    },
    keep(stream, request) {
      // Without it the call ends with an error after a restart, and does not run again.
      if (request === null || request.length > PART || !quota.fits(request.length)) return null;
      quota.count(0, request.length);
      requests.set(stream, request.length);
      return request;
    },
    unkeep,
  };
}
