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
import type { RemoteIndex } from "./session-index.ts";

/** What the object of a session tells the index of its principal. */
export interface Notes {
  /** For a request that may open the session; undefined for one to a session that is there. */
  opening(asked: Call | Attach): Opening | undefined;
  /** Notes a session that has just come to be. False where it could not be, and has been ended. */
  begun(): Promise<boolean>;
  /** The session is no more. What stays in the index by mistake goes with the next `endAll`. */
  ended(principal: string | undefined): Promise<void>;
  /** Whose the stored session is. */
  principal(): string | undefined;
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
  readonly indexOf: (principal: string) => RemoteIndex;
  /** The session's. */
  readonly id: string;
}

/** Tells nothing before a session opens. */
export function createNotes({ storage, session, indexOf, id }: NotesOptions): Notes {
  /** In order: one that is found by its key may begin anew while its end is still being told. */
  let telling: Promise<void> = Promise.resolve();
  let endings = 0;
  /** Requests that have been noted before their session is there. */
  let openings = 0;

  const tell = (principal: string, word: "add" | "remove"): Promise<void> => {
    const told = telling.then(() => indexOf(principal)[word](id));
    telling = told.catch(() => {});
    return told;
  };

  const note = (principal: string): Promise<boolean> =>
    tell(principal, "add").then(
      () => true,
      () => false,
    );

  /** Where it was ended meanwhile, and so taken out again, it is yet to begin. */
  const noteAhead = async (principal: string): Promise<boolean> => {
    for (;;) {
      const seen = endings;
      if (!(await note(principal))) return false;
      if (seen === endings) return true;
    }
  };

  const ended = async (principal: string | undefined): Promise<void> => {
    endings += 1;
    if (principal !== undefined) await tell(principal, "remove").catch(() => {});
  };

  const begun = async (): Promise<boolean> => {
    const principal = session().isLive() ? principalIn(storage) : undefined;
    if (principal === undefined || (await note(principal))) return true;
    await session().terminate();
    return false;
  };

  return {
    begun,
    ended,
    principal: () => principalIn(storage),
    opening({ keyed, caller: { principal } }) {
      if (session().isLive()) return undefined;
      const owner = principalIn(storage);
      const isOwn = principal !== undefined && (owner === undefined || owner === principal);
      if (keyed === undefined || !isOwn) return { before: () => Promise.resolve(true), after: begun };
      return {
        before() {
          openings += 1;
          return noteAhead(principal);
        },
        async after() {
          openings -= 1;
          // It did not come to be, nor is another request about to have it.
          if (openings === 0 && principalIn(storage) === undefined) void ended(principal);
          return true;
        },
      };
    },
  };
}

/** Whose session it is that the object holds. */
function principalIn({ sql }: DurableObjectStorage): string | undefined {
  try {
    const [row] = sql.exec<{ principal: string | null }>("SELECT principal FROM session").toArray();
    return row?.principal ?? undefined;
  } catch {
    // Nothing has been stored.
    return undefined;
  }
}
