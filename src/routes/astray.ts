/** Ways to miss the router that nothing else would name: a mount that was counted twice, a request that is none. @module */
import type { Env, Hono, MiddlewareHandler } from "hono";
import { SSE_TYPE } from "../http/headers.ts";
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Site } from "./context.ts";
import { landingFacts } from "./landing.ts";

/**
 * For POST at the mount itself. Where the router is mounted at `/mcp`, its endpoint is `/mcp/mcp`, and a client that was
 * sent to `/mcp` is told so, if nobody else answers it there.
 */
export function guide<E extends Env>(site: Site<E>): MiddlewareHandler<E> {
  return async (c, next) => {
    await next();
    const isClient = c.req.header("accept")?.includes(SSE_TYPE) === true;
    if (c.res.status !== 404 || !isClient || !site.isHostAllowed(c.req.raw)) return;
    c.res = failed(failures.endpointElsewhere(landingFacts(site, c, "/").url));
  };
}

/**
 * The router's `fetch`, which names what is no `Request`: Node's own, as Express has it, would be answered by nobody.
 * @throws {TypeError} saying what to do
 */
export function takingRequests<E extends Env>(fetch: Hono<E>["fetch"]): Hono<E>["fetch"] {
  return (request, ...rest) => {
    if (typeof (request as Partial<Request> | undefined)?.headers?.get === "function") {
      return fetch(request, ...rest);
    }
    throw new TypeError(
      "fetch takes a Request: with node:http or Express use getRequestListener(fetch) of @hono/node-server",
    );
  };
}
