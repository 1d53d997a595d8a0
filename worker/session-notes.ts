/**
 * The session's side of its principal's index: what its object tells the index, and when.
 *
 * A session is noted once it is there, before its client hears of it. One that is found by its key is noted before:
 * its first request may last, and its principal may sign out meanwhile. One that cannot be noted does not stay: it
 * would outlive their signing out.
 * @module
 */
import type { Attach, Call } from "../src/host.ts";
import type { Session } from "../src/session/contract.ts";
import { type ListedRow, summaryOf } from "../src/session/inspect.ts";
import { placeOf, type RemoteIndex } from "./session-index.ts";
import type { Noted, Place } from "./wire-index.ts";

/** Whose a session is; null for nobody's in particular. */
type Owner = string | null;

/** What the object of a session tells the index of its principal. */
export interface Notes {
  /** For a request that may open the session; undefined for one to a session that is there. */
  opening(asked: Call | Attach): Opening | undefined;
  /** Notes a session that has just come to be. False where it could not be, and has been ended. */
  begun(): Promise<boolean>;
  /** The session is no more. What stays in the index by mistake goes with the next `endAll`. */
  ended(owner: Owner | undefined): Promise<void>;
  /** Whose the stored session is; undefined where none is stored. */
  owner(): Owner | undefined;
}

/** Around a request. Each step is false where the session cannot be noted: the request is refused. */
export interface Opening {
  before(): Promise<boolean>;
  after(): Promise<boolean>;
}

/** The session, and the way to the indexes. */
export interface NotesOptions {
  readonly storage: DurableObjectStorage;
  readonly session: () => Session;
  readonly indexOf: (place: Place) => RemoteIndex;
  /** Has the object stay for what nobody waits for. */
  readonly waitUntil: (promise: Promise<unknown>) => void;
  /** The session's. */
  readonly id: string;
}

/** Tells nothing before a session opens. */
export function createNotes({ storage, session, indexOf, waitUntil, id }: NotesOptions): Notes {
  /** In order: one that is found by its key may begin anew while its end is still being told. */
  let telling: Promise<void> = Promise.resolve();
  let endings = 0;
  /** Requests that have been noted before their session is there. */
  let openings = 0;

  const tell = (owner: Owner, word: (index: RemoteIndex) => Promise<void>): Promise<void> => {
    const told = telling.then(async () => word(indexOf(await placeOf(owner, id))));
    telling = told.catch(() => {});
    return told;
  };

  const note = (owner: Owner, noted: Noted): Promise<boolean> =>
    tell(owner, (index) => index.add(noted)).then(
      () => true,
      () => false,
    );

  /** Where it was ended meanwhile, and so taken out again, it is yet to begin. */
  const noteAhead = async (principal: string, version: string): Promise<boolean> => {
    const transport = "streamable";
    const noted: Noted = { id, principal, transport, version, client: undefined, created: Date.now() };
    for (;;) {
      const seen = endings;
      if (!(await note(principal, noted))) return false;
      if (seen === endings) return true;
    }
  };

  const ended = async (owner: Owner | undefined): Promise<void> => {
    endings += 1;
    if (owner !== undefined) await tell(owner, (index) => index.remove(id)).catch(() => {});
  };

  const begun = async (): Promise<boolean> => {
    const row = session().isLive() ? stored(storage) : undefined;
    if (row === undefined) return true;
    const { status: _status, lastUsed: _lastUsed, ...noted } = summaryOf(row);
    const noting = note(row.principal, noted);
    if (row.principal === null) {
      // Nobody's sessions are noted to be seen alone: no client waits for that.
      waitUntil(noting);
      return true;
    }
    if (await noting) return true;
    await session().terminate();
    return false;
  };

  return {
    begun,
    ended,
    owner: () => stored(storage)?.principal,
    opening({ keyed, caller: { principal } }) {
      if (session().isLive()) return undefined;
      const owner = stored(storage)?.principal ?? undefined;
      const isOwn = principal !== undefined && (owner === undefined || owner === principal);
      if (keyed === undefined || !isOwn) return { before: () => Promise.resolve(true), after: begun };
      return {
        before() {
          openings += 1;
          return noteAhead(principal, keyed.version);
        },
        async after() {
          openings -= 1;
          // It did not come to be, nor is another request about to have it.
          if (openings === 0 && stored(storage) === undefined) void ended(principal);
          return true;
        },
      };
    },
  };
}

/** The session that the object holds. */
function stored({ sql }: DurableObjectStorage): ListedRow | undefined {
  try {
    type Row = { [Name in keyof ListedRow]: ListedRow[Name] };
    const columns = "id, principal, kind, version, initialize, created, seen, status";
    return sql.exec<Row>(`SELECT ${columns} FROM session`).toArray()[0];
  } catch {
    // Nothing has been stored.
    return undefined;
  }
}
