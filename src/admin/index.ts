/**
 * `holdfast/admin`: the sessions of a server over HTTP, for whoever runs it. Read `docs/admin.md`.
 *
 * | request                                          | answer                                    |
 * | ------------------------------------------------ | ----------------------------------------- |
 * | `GET /admin/sessions?principal=&cursor=&limit=`  | 200 a `SessionPage`                       |
 * | `GET /admin/sessions/{id}`                       | 200 a `SessionDetail` · 404               |
 * | `DELETE /admin/sessions/{id}`                    | 204 · 404                                 |
 * @module
 */
import type { Env } from "hono";
import { empty, failed, json } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Annex, Handler } from "../router.ts";
import type { Authorize } from "../routes/context.ts";
import { createSessionLogs } from "./log.ts";
import { NotListed, type SessionQuery, type Sessions } from "../sessions.ts";

/**
 * What `createMcpRouter`, `createMcpWorker` and `createLocalMcp` take as `admin`.
 * @param authorize judges each request, as the router's `authorize` judges a client's, and apart from it: nothing
 * means 401, a Response is sent as it is, a throw is answered 500 and told as `hook.error`. Whoever it lets in sees
 * and ends everybody's sessions
 * @throws {TypeError} where there is nobody to judge: an operator's door has no default
 * @example
 * createLocalMcp({ createServer, admin: sessionsAdmin((request) => isOperator(request) ? { principal: "ops" } : undefined) })
 */
export function sessionsAdmin<E extends Env = Env>(authorize: Authorize<E>): Annex<E> {
  if (typeof authorize !== "function")
    throw new TypeError("sessionsAdmin must be given a function that judges");
  return {
    authorize,
    logs: createSessionLogs(),
    routes: (sessions) => ({
      "/admin/sessions": { methods: "GET", handlers: { GET: list(sessions) } },
      "/admin/sessions/:id": {
        methods: "GET, DELETE",
        handlers: { GET: detail(sessions), DELETE: end(sessions) },
      },
    }),
  };
}

const list =
  <E extends Env>(sessions: Sessions): Handler<E> =>
  async (_site, { c, headers }) => {
    const { principal, cursor, limit } = c.req.query();
    // What a form leaves empty is not asked for.
    const query: SessionQuery = {
      principal: principal || undefined,
      cursor: cursor || undefined,
      limit: limit ? Number(limit) : undefined,
    };
    try {
      return json(JSON.stringify(await sessions.list(query)), headers);
    } catch (error) {
      if (error instanceof RangeError) return failed(failures.badQuery(error.message), headers);
      if (error instanceof NotListed) return failed(failures.notListed(error.message), headers);
      throw error;
    }
  };

const detail =
  <E extends Env>(sessions: Sessions): Handler<E> =>
  async (_site, { c, headers }) => {
    const found = await sessions.get(c.req.param("id") ?? "");
    return found === undefined
      ? failed(failures.sessionNotFound, headers)
      : json(JSON.stringify(found), headers);
  };

const end =
  <E extends Env>(sessions: Sessions): Handler<E> =>
  async (_site, { c, headers }) =>
    (await sessions.end(c.req.param("id") ?? ""))
      ? empty(204, headers)
      : failed(failures.sessionNotFound, headers);
