/**
 * The sessions that there are: an index for each principal, so that theirs can be ended together, sixteen for the
 * sessions of nobody in particular, and one directory of the indexes, so that all can be listed.
 *
 * They are kept by objects of the session class under names of their own: no binding and no migration more. Such an
 * object cannot be reached as a session, since nobody is told its id, and as one it is empty. It is there while there
 * is something in it, and is asked only where `sessions` is on.
 *
 * An index enters itself in the directory with its first session, and strikes itself off with its last. Nobody
 * waits for that: where it fails, the next session of that index tries again, and who lists finds an index that is
 * empty and has it struck off.
 * @module
 */
import { nameOfParts } from "../src/names.ts";
import { stamped, versionOf } from "../src/wire/version.ts";
import {
  decodeEntry,
  decodeId,
  decodeIds,
  decodeNote,
  decodePageRequest,
  decodePlaces,
  decodeSessions,
  type Note,
  type Noted,
  type PageRequest,
  type Place,
} from "./wire-index.ts";
import { PATHS } from "./wire.ts";

/** The object's own side, of an index and of the directory alike. */
export interface SessionIndex {
  /** PUT and DELETE with an id for a body; GET for all of them as JSON. Rejects with `Unreadable`, as the others. */
  answer(request: Request): Promise<Response>;
  /** Notes a session with what is known of it. */
  note(request: Request): Promise<Response>;
  page(request: Request): Promise<Response>;
  /** Of the directory: enters an index, or strikes it off. */
  enter(request: Request): Promise<Response>;
}

const PREFIX = { session: "session:", place: "place:" } as const;

/** Under which an index remembers that the directory has it, and as what. */
const ENTERED = "entered";

const done = (): Response => new Response(null, { status: 204 });

/** @param directory the directory as the object reaches it */
export function createSessionIndex(
  storage: DurableObjectStorage,
  directory: () => Promise<RemoteDirectory>,
): SessionIndex {
  /** One word to the directory at a time: an index may be filled again while it is being struck off. */
  let telling: Promise<void> = Promise.resolve();
  const tell = (word: () => Promise<void>): void => {
    telling = telling.then(word).catch(() => {});
  };

  const isEmpty = async (of: keyof typeof PREFIX): Promise<boolean> =>
    (await storage.list({ prefix: PREFIX[of], limit: 1 })).size === 0;

  const entered = (place: Place): void =>
    tell(async () => {
      if ((await storage.get(ENTERED)) !== undefined) return;
      await (await directory()).enter(place);
      await storage.put(ENTERED, place.name);
    });

  /** @param name as the directory knows it, where that has sent somebody; undefined where the index itself knows */
  const struckOff = (name?: string): void =>
    tell(async () => {
      if (!(await isEmpty("session"))) return;
      const known = name ?? (await storage.get<string>(ENTERED));
      if (known !== undefined) await (await directory()).strikeOff(known);
      // Filled again meanwhile, it enters itself anew: that word comes after this one.
      if (await isEmpty("session")) await storage.deleteAll();
      else await storage.delete(ENTERED);
    });

  return {
    async answer(request) {
      if (request.method === "GET") {
        const sessions = await storage.list({ prefix: PREFIX.session });
        return Response.json(Array.from(sessions.keys(), (key) => key.slice(PREFIX.session.length)));
      }
      const key = `${PREFIX.session}${await decodeId(request)}`;
      if (request.method === "PUT") await storage.put(key, 1);
      else {
        await storage.delete(key);
        if (await isEmpty("session")) struckOff();
      }
      return done();
    },
    async note(request) {
      const { place, noted } = await decodeNote(request);
      await storage.put(`${PREFIX.session}${noted.id}`, noted);
      entered(place);
      return done();
    },
    async page(request) {
      const { of, after, from, limit, listedAs } = await decodePageRequest(request);
      const prefix = PREFIX[of];
      const found = await storage.list({
        prefix,
        limit,
        ...(after !== undefined && { startAfter: `${prefix}${after}` }),
        ...(from !== undefined && { start: `${prefix}${from}` }),
      });
      if (listedAs !== undefined && found.size === 0 && (await isEmpty(of))) struckOff(listedAs);
      return Response.json(Array.from(found, ([key, value]) => [key.slice(prefix.length), value]));
    },
    async enter(request) {
      const { place, isHeld } = await decodeEntry(request);
      const key = `${PREFIX.place}${place.name}`;
      if (isHeld) await storage.put(key, place);
      else {
        await storage.delete(key);
        if (await isEmpty("place")) await storage.deleteAll();
      }
      return done();
    },
  };
}

/** The index as others reach it. Each call rejects where it was not done. */
export interface RemoteIndex {
  add(noted: Noted): Promise<void>;
  remove(id: string): Promise<void>;
  ids(): Promise<string[]>;
  page(request: Omit<PageRequest, "of">): ReturnType<typeof decodeSessions>;
}

/** The directory as others reach it, likewise. */
export interface RemoteDirectory {
  enter(place: Place): Promise<void>;
  strikeOff(name: string): Promise<void>;
  page(request: Omit<PageRequest, "of">): Promise<Place[]>;
}

/** Its first part keeps it apart from the sessions and the users that have names. */
export function indexName(principal: string): Promise<string> {
  return nameOfParts("index", principal);
}

/** The place that a session has. Those of nobody are spread: one object would be met by every session that opens. */
export async function placeOf(principal: string | null, id: string): Promise<Place> {
  // No principal is empty.
  const name = principal === null ? await nameOfParts("index", "", id.slice(-1)) : await indexName(principal);
  return { name, principal };
}

const directoryName = (): Promise<string> => nameOfParts("index-directory");

type Ask = (path: string, init: RequestInit, expected: 200 | 204) => Promise<Response>;

/** Another status than what is expected stands for an object that could not do it. */
class Unexpected extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the index of sessions answered ${status}`);
    this.status = status;
  }
}

const asking =
  (namespace: DurableObjectNamespace, name: string): Ask =>
  async (path, init, expected) => {
    const answer = await namespace
      .get(namespace.idFromName(name))
      .fetch(path, { ...init, headers: stamped() });
    versionOf(answer);
    if (answer.status !== expected) throw new Unexpected(answer.status);
    return answer;
  };

const posting = (body: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(body) });

/** The index at this place. */
export function sessionIndexOf(namespace: DurableObjectNamespace, place: Place): RemoteIndex {
  const ask = asking(namespace, place.name);
  return {
    async add(noted) {
      try {
        await ask(PATHS.note, posting({ place, noted } satisfies Note), 204);
      } catch (error) {
        // An object of an earlier version notes no more than the id.
        if (!(error instanceof Unexpected) || error.status !== 501) throw error;
        await ask(PATHS.index, { method: "PUT", body: noted.id }, 204);
      }
    },
    remove: async (id) => void (await ask(PATHS.index, { method: "DELETE", body: id }, 204)),
    ids: async () => decodeIds(await ask(PATHS.index, {}, 200)),
    page: async (request) =>
      decodeSessions(await ask(PATHS.page, posting({ of: "session", ...request }), 200)),
  };
}

/** The one directory of all indexes. */
export async function directoryOf(namespace: DurableObjectNamespace): Promise<RemoteDirectory> {
  const ask = asking(namespace, await directoryName());
  const tell = async (place: Place, isHeld: boolean): Promise<void> =>
    void (await ask(PATHS.directory, posting({ place, isHeld }), 204));
  return {
    enter: (place) => tell(place, true),
    strikeOff: (name) => tell({ name, principal: null }, false),
    page: async (request) => decodePlaces(await ask(PATHS.page, posting({ of: "place", ...request }), 200)),
  };
}
