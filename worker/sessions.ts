/**
 * The sessions of a Worker from the server's side: listed by their indexes, shown by their own objects, ended.
 * Listing wakes indexes and no session.
 * @module
 */
import { env } from "cloudflare:workers";
import { isObject } from "../src/jsonrpc/messages.ts";
import {
  badCursor,
  NotListed,
  pageSize,
  type SessionDetail,
  type SessionPage,
  type SessionQuery,
  type Sessions,
  type SessionSummary,
} from "../src/sessions.ts";
import type { WorkerEndings } from "./endings.ts";
import { directoryOf, indexName, placeOf, sessionIndexOf } from "./session-index.ts";
import { isName, type Noted } from "./wire-index.ts";
import { fits, parseJson, stamped, versionOf } from "../src/wire/version.ts";
import { PATHS } from "./wire.ts";

/** How many are ended side by side: a Worker has six connections at a time, and waits for more in silence. */
const AT_ONCE = 6;

/** Most indexes that are asked for one page: each is a request of its own. */
const MOST_PLACES = 25;

/** After every session of an index. */
const BEHIND_ALL = "f".repeat(64);

const summaryOf = (noted: Noted): SessionSummary => ({
  ...noted,
  principal: noted.principal,
  client: noted.client,
  status: undefined,
  lastUsed: undefined,
});

/** A place in the list: an index, and the last session of it that was shown. */
function cursorIn(cursor: string | undefined): { at: string | undefined; after: string | undefined } {
  if (cursor === undefined) return { at: undefined, after: undefined };
  const [at, after, ...more] = cursor.split(".");
  if (!isName(at) || !isName(after) || more.length > 0) throw badCursor();
  return { at, after };
}

/** @param endings undefined where sessions are not noted under their principals */
export function workerSessions<Env>(
  namespaceOf: (env: Env) => DurableObjectNamespace,
  endings: WorkerEndings | undefined,
): Sessions {
  const namespace = (): DurableObjectNamespace => namespaceOf(env as Env);

  const ask = async (
    id: string,
    path: string,
    init: RequestInit,
  ): Promise<{ answer: Response; status: number } | undefined> => {
    let objectId: DurableObjectId;
    try {
      objectId = namespace().idFromString(id);
    } catch {
      return undefined;
    }
    const answer = await namespace()
      .get(objectId)
      .fetch(path, { ...init, headers: stamped() });
    // An object of version 0 says 404 to any path that it does not know.
    return { answer, status: versionOf(answer) > 0 ? answer.status : 501 };
  };
  const unexpected = (status: number): Error => new Error(`the session object answered ${status}`);

  /** @param principal whose index has it, which hears of it from the session: that may have begun anew by then */
  const end = async (id: string, principal = ""): Promise<boolean> => {
    const asked = await ask(id, PATHS.terminate, { method: "POST", body: principal });
    if (asked === undefined) return false;
    const { status } = asked;
    if (status !== 204 && status !== 404) throw unexpected(status);
    return status === 204;
  };

  const indexed = (): WorkerEndings => {
    if (endings !== undefined) return endings;
    throw new NotListed("Sessions are not kept by principal: give createMcpWorker `sessions: true`");
  };

  const list = async (query: SessionQuery = {}): Promise<SessionPage> => {
    const limit = pageSize(query);
    const { principal, cursor } = query;
    const { at, after } = cursorIn(cursor);
    indexed();
    const own = principal === undefined ? undefined : { name: await indexName(principal), principal };
    if (own !== undefined && at !== undefined && at !== own.name) throw badCursor();
    const places =
      own === undefined
        ? await (await directoryOf(namespace())).page({ from: at, limit: MOST_PLACES })
        : [own];
    const sessions: SessionSummary[] = [];
    for (const place of places) {
      const left = limit - sessions.length;
      const page = await sessionIndexOf(namespace(), place).page({
        after: place.name === at ? after : undefined,
        limit: left,
        listedAs: own === undefined ? place.name : undefined,
      });
      sessions.push(...page.noted.map(summaryOf));
      if (page.count === left) return { sessions, nextCursor: `${place.name}.${page.last}` };
    }
    const last = places.length === MOST_PLACES ? places.at(-1) : undefined;
    return { sessions, nextCursor: last && `${last.name}.${BEHIND_ALL}` };
  };

  return {
    list,
    async get(id) {
      const asked = await ask(id, PATHS.inspect, {});
      if (asked === undefined || asked.status === 404) return undefined;
      if (asked.status !== 200) throw unexpected(asked.status);
      const detail = parseJson(await asked.answer.text());
      fits(isObject(detail) && detail["id"] === id, "the session's detail");
      return detail as unknown as SessionDetail;
    },
    end: (id) => end(id),
    async endAll(principal) {
      let count = 0;
      const failures: unknown[] = [];
      // Begun first, so that what comes back at once is judged anew; a hub that is out of reach holds up nothing.
      const told = indexed()
        .end(principal)
        .catch((error: unknown) => void failures.push(error));
      const left = await sessionIndexOf(namespace(), await placeOf(principal, "")).ids();
      const work = async (): Promise<void> => {
        for (let id = left.pop(); id !== undefined; id = left.pop()) {
          try {
            if (await end(id, principal)) count += 1;
          } catch (error) {
            failures.push(error);
          }
        }
      };
      await Promise.all([told, ...Array.from({ length: AT_ONCE }, work)]);
      if (failures.length > 0)
        throw new AggregateError(failures, `not all could be ended: ${failures.length} failures`);
      return count;
    },
  };
}
