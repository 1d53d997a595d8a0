/**
 * What has happened to sessions, in memory: the events that each session tells, without what they say of its client,
 * which is the same for all of them, and without anybody's text. It is heard where the session is, so that it is the
 * same on all hosts: what only the edge at the other end of a link knows is in that one's events.
 *
 * Storing it would be a row for each call. In memory it outlives the session's object, which sleeps and is evicted,
 * and ends with its isolate or process.
 * @module
 */
import type { EventFields, EventSink } from "../events.ts";
import type { SessionLogEntry, SessionLogs } from "../sessions.ts";

/** Most entries of one session, and of all: some 4 MB. Then the session goes that has been silent for longest. */
const MOST = 100;
const MOST_IN_ALL = 20_000;

type Told = { readonly [Name in keyof EventFields]?: readonly (string & keyof EventFields[Name])[] };

/** What is noted, and of it what. Messages of errors are left out: others' text, and a log's to tell. */
const TOLD: Told = {
  "call.started": ["call", "method", "name", "attempts"],
  "call.ended": ["call", "method", "name", "attempts", "outcome", "ms", "streamed", "bytes"],
  "call.failed": ["method", "tool", "reason"],
  "tool.threw": ["tool", "reference"],
  "server.error": [],
  "orphan.response": [],
  "stream.attached": ["stream", "connectionId", "redialled"],
  "stream.detached": ["stream", "connectionId", "reason"],
  "stream.resumed": ["connectionId", "replayed"],
  "replay.gap": ["missed"],
  "queue.overflow": ["dropped"],
  "send.error": [],
  "session.created": ["kind"],
  "session.rehydrated": [],
  "session.interrupted": ["calls"],
  "session.start_failed": [],
  "session.server_closed": ["calls"],
  "session.server_changed": [],
  "session.revived": [],
  "session.rotated": ["successor"],
  "session.expired": ["provisional"],
  "session.terminated": [],
};

interface Kept {
  since: number;
  dropped: number;
  readonly entries: SessionLogEntry[];
}

/** How much is kept: other than by default in tests. */
export interface SessionLogsOptions {
  readonly most?: number;
  readonly mostInAll?: number;
}

/** Nothing has happened yet. */
export function createSessionLogs({
  most = MOST,
  mostInAll = MOST_IN_ALL,
}: SessionLogsOptions = {}): SessionLogs {
  /** By session; the one that was heard of last stands last. Each counts as one entry more, whatever it holds. */
  const logs = new Map<string, Kept>();
  let size = 0;

  /** The session's, which is now the last. */
  const of = (id: string): Kept => {
    const known = logs.get(id);
    if (known === undefined) size += 1;
    else logs.delete(id);
    const kept = known ?? { since: Date.now(), dropped: 0, entries: [] };
    logs.set(id, kept);
    return kept;
  };

  const forget = (id: string): void => {
    const kept = logs.get(id);
    if (kept === undefined) return;
    logs.delete(id);
    size -= 1 + kept.entries.length;
  };

  const makeRoom = (): void => {
    for (const id of logs.keys()) {
      if (size <= mostInAll) return;
      forget(id);
    }
  };

  const note = (id: string, entry: SessionLogEntry): void => {
    const kept = of(id);
    const { entries } = kept;
    // A call that was answered at once is one entry: nothing can have happened under it.
    const begun =
      entry.type === "call.ended" && entry["streamed"] === false
        ? entries.findLastIndex(({ type, call }) => type === "call.started" && call === entry["call"])
        : -1;
    if (begun >= 0) entries.splice(begun, 1);
    else if (entries.length < most) size += 1;
    else {
      entries.shift();
      kept.dropped += 1;
    }
    entries.push(entry);
    makeRoom();
  };

  return {
    noting(id, emit) {
      of(id);
      makeRoom();
      const sink = (type: keyof EventFields, fields: object | (() => object)): void => {
        const told = TOLD[type];
        if (told === undefined) return emit(type, fields as never);
        const given = (typeof fields === "function" ? fields() : fields) as Record<
          string,
          SessionLogEntry[string]
        >;
        const chosen = told.map((name) => [name, given[name]] as const);
        note(id, { time: Date.now(), type, ...Object.fromEntries(chosen) });
        emit(type, given as never);
      };
      const hears = (type: keyof EventFields): boolean =>
        TOLD[type] !== undefined || emit.hears?.(type) !== false;
      return Object.assign(sink as EventSink, { hears });
    },
    forget,
    read(id) {
      const kept = logs.get(id);
      return kept && { ...kept, entries: [...kept.entries] };
    },
  };
}
