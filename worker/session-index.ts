/**
 * The sessions of one principal, so that they can be ended together.
 *
 * They are kept by an object of the session class under the principal's name: no binding and no migration more. It
 * cannot be reached as a session, since nobody is told its id, and as one it is empty. It is there while there is
 * something in it, and is asked only where `sessions` is on.
 * @module
 */
import { env } from "cloudflare:workers";
import type { Sessions } from "../src/host.ts";
import { nameOfParts } from "../src/names.ts";
import type { WorkerEndings } from "./endings.ts";
import { stamped, versionOf } from "./wire-version.ts";
import { decodeId, decodeIds, PATHS } from "./wire.ts";

/** The object's own side. */
export interface SessionIndex {
  /** PUT and DELETE with an id for a body; GET for all of them as JSON. Rejects with `Unreadable`. */
  answer(request: Request): Promise<Response>;
}

const PREFIX = "session:";

export function createSessionIndex(storage: DurableObjectStorage): SessionIndex {
  const ids = async (): Promise<string[]> =>
    [...(await storage.list({ prefix: PREFIX })).keys()].map((key) => key.slice(PREFIX.length));
  return {
    async answer(request) {
      if (request.method === "GET") return Response.json(await ids());
      const key = `${PREFIX}${await decodeId(request)}`;
      if (request.method === "PUT") await storage.put(key, 1);
      else {
        await storage.delete(key);
        if ((await storage.list({ prefix: PREFIX, limit: 1 })).size === 0) await storage.deleteAll();
      }
      return new Response(null, { status: 204 });
    },
  };
}

/** The index as others reach it. Each call rejects where it was not done. */
export interface RemoteIndex {
  add(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  ids(): Promise<string[]>;
}

/** Its first part keeps it apart from the sessions and the users that have names. */
export function indexName(principal: string): Promise<string> {
  return nameOfParts("index", principal);
}

export function sessionIndexOf(namespace: DurableObjectNamespace, principal: string): RemoteIndex {
  const ask = async (init: RequestInit, done: 200 | 204): Promise<Response> => {
    const name = await indexName(principal);
    const answer = await namespace
      .get(namespace.idFromName(name))
      .fetch(PATHS.index, { ...init, headers: stamped() });
    versionOf(answer);
    if (answer.status !== done) throw new Error(`the index of sessions answered ${answer.status}`);
    return answer;
  };
  return {
    add: async (id) => void (await ask({ method: "PUT", body: id }, 204)),
    remove: async (id) => void (await ask({ method: "DELETE", body: id }, 204)),
    ids: async () => decodeIds(await ask({}, 200)),
  };
}

/** How many are ended side by side: a Worker has six connections at a time, and waits for more in silence. */
const AT_ONCE = 6;

/** @param endings undefined where sessions are not noted under their principals */
export function workerSessions<Env>(
  namespaceOf: (env: Env) => DurableObjectNamespace,
  endings: WorkerEndings | undefined,
): Sessions {
  /** @param principal whose index has it, which hears of it from the session: that may have begun anew by then */
  const end = async (id: string, principal = ""): Promise<boolean> => {
    const namespace = namespaceOf(env as Env);
    let objectId: DurableObjectId;
    try {
      objectId = namespace.idFromString(id);
    } catch {
      return false;
    }
    const answer = await namespace
      .get(objectId)
      .fetch(PATHS.terminate, { method: "POST", body: principal, headers: stamped() });
    const { status } = answer;
    // An object of version 0 says 404 to any path that it does not know: its session has not been ended.
    const isKnown = versionOf(answer) > 0 && (status === 204 || status === 404);
    if (!isKnown) throw new Error(`the session object answered ${status}`);
    return status === 204;
  };

  return {
    end: (id) => end(id),
    async endAll(principal) {
      if (endings === undefined)
        throw new Error("Sessions are not kept by principal: give createMcpWorker `sessions: true`");
      const index = sessionIndexOf(namespaceOf(env as Env), principal);
      let count = 0;
      const failures: unknown[] = [];
      // Begun first, so that what comes back at once is judged anew; a hub that is out of reach holds up nothing.
      const told = endings.end(principal).catch((error: unknown) => void failures.push(error));
      const left = await index.ids();
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
