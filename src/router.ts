/**
 * The router: a Hono app that speaks MCP at `/mcp` (Streamable HTTP) and `/sse` with `/messages`
 * (HTTP+SSE), and can be mounted in any other Hono app.
 * @module
 */
import { type Context, type Env, Hono, type Next } from "hono";
import { createWaitUntil } from "./background.ts";
import type { ChangeHub } from "./changes.ts";
import { clientText, shortId } from "./log-text.ts";
import { hookFailed, hookInTime, runHook } from "./hooks.ts";
import type { ModernHandler, RequestHandler, SessionHost } from "./host.ts";
import { createBodyReader } from "./http/body.ts";
import { SESSION_ID, UNKEPT } from "./http/headers.ts";
import { createHostCheck, preflightHeaders } from "./http/origin.ts";
import { discardRest } from "./http/rest.ts";
import { empty, failed, refusalOf } from "./http/respond.ts";
import * as failures from "./jsonrpc/failures.ts";
import { type HoldfastOptions, OPTIONS, resolveOptions } from "./options.ts";
import type { SessionLogs, Sessions } from "./sessions.ts";
import {
  type Admitted,
  admit,
  admitOrigin,
  type Authorize,
  type Site,
  type Topic,
  withHeaders,
} from "./routes/context.ts";
import { guide, takingRequests } from "./routes/astray.ts";
import * as httpSse from "./routes/http-sse.ts";
import { health, info } from "./routes/info.ts";
import { isBrowser, type Landing, landingFacts } from "./routes/landing.ts";
import { mounted } from "./routes/mounted.ts";
import type { SessionKey } from "./routes/session-key.ts";
import * as streamable from "./routes/streamable.ts";
import { checkGiven, FUNCTION, having, type Kind, type Kinds, SetupError, STRING, needed } from "./setup.ts";

/** What the router serves, whom it lets in, and every option of the transport. */
export interface RouterOptions<E extends Env = Env> extends HoldfastOptions {
  /** The server's name, for `/info` and the landing page. */
  name?: string;
  /** Its version, for the same. */
  version?: string;
  /** Where sessions live: `durableHost` on Workers, `localHost` in one process. */
  host: SessionHost<E["Bindings"]>;
  /** Judges each request; without it all callers are one. */
  authorize?: Authorize<E>;
  /** Serves 2026-07-28 on the same URL: `modernHandler` of `holdfast/modern`. */
  modern?: ModernHandler<E["Bindings"]>;
  /**
   * Serves requests that name no session: `requestHandler` of `holdfast/sessionless`. Without it, and with `sessionless: "refuse"`, they
   * are answered 400.
   */
  requests?: RequestHandler<E["Bindings"]>;
  /**
   * Gives requests that name no session a durable one, by a key among those of their principal: state, streams and
   * restarts as in any session. `openaiConversation` and `perPrincipal` are ready made.
   */
  sessionKey?: SessionKey<E>;
  /** Carries changes to those who listen; without it they stay within the isolate or process. */
  hub?: ChangeHub;
  /**
   * Serves `/admin`, where sessions are seen and ended: `sessionsAdmin` of `holdfast/admin`. Without it there is no
   * such path, on localhost neither.
   */
  admin?: Annex<E>;
  /**
   * Serves `/metrics`: part of what `prometheus` of `holdfast/prometheus` returns. Without it there is no such path.
   */
  metrics?: Annex<E, undefined>;
  /**
   * The hub's topic that a request belongs to, such as its tenant: changes stay within one. A session
   * keeps the topic of its requests, so one principal should have one.
   */
  topic?: Topic<E>;
  /**
   * Answers browsers at `/mcp` and at the mount itself: `landingPage()` of `holdfast/landing`. Without it they get what
   * every other client does.
   */
  landing?: Landing;
}

/** What is the router's own among the options of `createMcpWorker` and `createLocalMcp`, each with what it must be. */
export const ROUTER_OPTIONS: Required<{
  [Name in Exclude<keyof RouterOptions, keyof HoldfastOptions | "host" | "requests" | "hub">]: Kind;
}> = {
  name: STRING,
  version: STRING,
  authorize: FUNCTION,
  modern: having("claims", "what modernHandler of holdfast/modern returns"),
  sessionKey: FUNCTION,
  topic: FUNCTION,
  landing: FUNCTION,
  admin: having("routes", "what sessionsAdmin of holdfast/admin returns"),
  metrics: having("routes", "the metrics that prometheus of holdfast/prometheus returns"),
};

const KINDS: Kinds = {
  ...OPTIONS,
  ...ROUTER_OPTIONS,
  host: needed(having("mint", "what durableHost or localHost returns")),
  requests: having("handle", "what requestHandler of holdfast/sessionless returns"),
  hub: having("bus", "the hub of a host"),
};

/** Answers one method of a route, once its request has been admitted. */
export type Handler<E extends Env> = (site: Site<E>, admitted: Admitted<E>) => Response | Promise<Response>;

/** What is served under a path: the methods, for `Allow`, and what serves each. */
export interface Served<E extends Env> {
  readonly methods: string;
  readonly handlers: Readonly<Record<string, Handler<E>>>;
}

/** Routes that an entry of its own brings: what serves them is no part of the router. */
export interface Annex<E extends Env, Of = Sessions> {
  /** Judges each of their requests, in place of the router's `authorize`. */
  readonly authorize: Authorize<E>;
  /** Where what happens to the host's sessions is noted from now on. */
  readonly logs?: SessionLogs;
  /** What it serves, by path below the mount. */
  routes(of: Of): Readonly<Record<string, Served<E>>>;
}

/**
 * Builds the router.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @example
 * app.route("/api", createMcpRouter({ host }))
 */
export function createMcpRouter<E extends Env = Env>(options: RouterOptions<E>): Hono<E> {
  checkGiven("createMcpRouter", options, KINDS);
  const settings = resolveOptions(options);
  const {
    name = "holdfast",
    version = "0.0.0",
    host,
    authorize,
    modern,
    requests,
    sessionKey,
    hub,
    topic,
    admin,
    metrics,
    landing,
  } = options;
  const site: Site<E> = {
    name,
    version,
    host,
    settings,
    waitUntil: createWaitUntil(settings.emit, (work) => host.keep?.(work)),
    bodies: createBodyReader(settings, host.limit?.(settings.bodyTimeoutMs)),
    authorize,
    modern,
    sessionKey,
    requests: settings.sessionless === "serve" ? requests : undefined,
    hub,
    topic,
    isHostAllowed: createHostCheck(settings),
  };
  // Twice as much as is taken: what is larger still is cut off.
  const rest = { bytes: 2 * settings.maxBodyBytes, ms: settings.bodyTimeoutMs };
  const app = new Hono<E>();

  /** What a browser is shown at this path; undefined for all else, and where the page fails. */
  const landed = (c: Context<E>, path: string): Response | undefined => {
    const { raw } = c.req;
    if (landing === undefined || !isBrowser(raw) || !site.isHostAllowed(raw)) return undefined;
    return runHook(settings.emit, "landing", () => {
      const page: unknown = landing(landingFacts(site, c, path));
      if (page instanceof Response) return page;
      throw new TypeError("landing must return a Response");
    });
  };

  const route = (path: string, served: Served<E>, of: Site<E> = site): void => {
    const handle = async (c: Context<E>): Promise<Response> => {
      const page = path === "/mcp" ? landed(c, path) : undefined;
      let response = page ?? (await answer(of, c, served));
      const refused = refusalOf(response);
      const isCut =
        (refused ?? response.status) >= 400 && hasBody(c.req.raw) && !(await discardRest(c.req.raw, rest));
      if (isCut) response = withHeaders(response, CUT);
      response = mounted(c, response);
      settings.emit("request", () => {
        const session = c.req.header(SESSION_ID);
        return {
          method: clientText(c.req.method),
          session: session === undefined ? undefined : clientText(shortId(session)),
          status: response.status,
          refused,
          contentType: clientText(c.req.header("content-type")),
          accept: clientText(c.req.header("accept")),
        };
      });
      return response;
    };
    app.all(`${settings.basePath}${path}`, handle).all(`${settings.basePath}${path}/`, handle);
  };

  const { post, get, remove } = streamable;
  route("/mcp", { methods: streamable.METHODS, handlers: { POST: post, GET: get, DELETE: remove } });
  route("/sse", { methods: httpSse.STREAM_METHODS, handlers: { GET: httpSse.stream } });
  route("/messages", { methods: httpSse.MESSAGE_METHODS, handlers: { POST: httpSse.message } });
  route("/info", { methods: "GET, HEAD", handlers: { GET: info, HEAD: info } });
  const annex = (
    judge: "admin" | "metrics",
    judged: Authorize<E>,
    served: ReturnType<Annex<E>["routes"]>,
  ): void => {
    const closed: Site<E> = { ...site, authorize: judged, judge, topic: undefined };
    for (const [path, each] of Object.entries(served)) route(path, each, closed);
  };
  if (admin !== undefined) {
    if (host.sessions === undefined) throw new TypeError("admin needs a host that has sessions to show");
    if (admin.logs !== undefined) host.keepLogs?.(admin.logs);
    annex("admin", admin.authorize, admin.routes(host.sessions));
  }
  if (metrics !== undefined) annex("metrics", metrics.authorize, metrics.routes(undefined));
  const { basePath, console: consolePage } = settings;
  if (landing !== undefined) {
    const look = async (c: Context<E>, next: Next): Promise<Response | void> => {
      const page = landed(c, "/");
      return page === undefined ? next() : mounted(c, page);
    };
    app.get(`${basePath}/`, look);
    if (basePath !== "") app.get(basePath, look);
  }
  const astray = guide(site);
  app.post(`${basePath}/`, astray);
  if (basePath !== "") app.post(basePath, astray);
  const looked = (c: Context<E>): Response => health(site, c);
  app.get(`${basePath}/health`, looked).get(`${basePath}/health/`, looked);
  if (consolePage !== undefined) {
    const page = async (c: Context<E>): Promise<Response> => {
      try {
        const response: unknown = await hookInTime("console", consolePage(), settings.initializeTimeoutMs);
        if (!(response instanceof Response)) throw new TypeError("console must return a Response");
        return mounted(c, response);
      } catch (error) {
        hookFailed(settings.emit, "console", error);
        return failed(failures.internalError);
      }
    };
    app.get(`${basePath}/test`, page).get(`${basePath}/test/`, page);
  }
  app.fetch = takingRequests(app.fetch);
  return app;
}

async function answer<E extends Env>(
  site: Site<E>,
  c: Context<E>,
  { methods, handlers }: Served<E>,
): Promise<Response> {
  let headers: Readonly<Record<string, string>> = {};
  try {
    // The raw method: Hono answers HEAD by running GET, which would open a stream that nobody reads.
    const { method } = c.req.raw;
    const cors = admitOrigin(c, site);
    if (cors instanceof Response) return cors;
    if (method === "OPTIONS") return preflight(c, methods, cors);
    headers = method === "POST" ? cors : { ...cors, ...UNKEPT };
    const admitted = await admit(c, site, headers);
    if (admitted instanceof Response) return admitted;
    site.host.check?.(c.env);
    const handler = handlers[method];
    if (handler === undefined) return failed(failures.methodNotAllowed(methods), admitted.headers);
    return await handler(site, admitted);
  } catch (error) {
    // Told where it was found, once.
    if (error instanceof SetupError) return failed(failures.misconfigured(error.said), headers);
    const stack = error instanceof Error ? error.stack : undefined;
    site.settings.emit("request.error", {
      method: clientText(c.req.method),
      message: String(error),
      stack,
    });
    return failed(failures.internalError, headers);
  }
}

/** Of an answer before which the request's body has not come to its end. */
const CUT = { Connection: "close" };

/** A look at `body` costs more, on some servers. */
const hasBody = ({ method, headers }: Request): boolean =>
  (method !== "GET" && method !== "HEAD" && method !== "OPTIONS") ||
  headers.has("transfer-encoding") ||
  headers.has("content-length");

function preflight<E extends Env>(
  c: Context<E>,
  methods: string,
  headers: Readonly<Record<string, string>>,
): Response {
  const requested = c.req.header("access-control-request-headers") ?? null;
  return empty(204, { ...preflightHeaders(methods, requested), ...headers });
}
