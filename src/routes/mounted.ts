/**
 * Getting on with the middleware of the app that the router is mounted in.
 * @module
 */
import type { Context, Env } from "hono";
import { matchedRoutes } from "hono/route";
import { SSE_TYPE } from "../http/headers.ts";

/** The response as it leaves the router: what middleware has set goes with it, and a stream stays one. */
export function mounted<E extends Env>(c: Context<E>, response: Response): Response {
  // Nobody else has touched the request: most of the time, and then there is nothing to look for.
  if (matchedRoutes(c).length === 1) return response;
  // Hono remembers headers that were set early for responses that its context makes, and ours are not.
  for (const [name, value] of c.newResponse(null).headers) {
    if (name === "set-cookie") response.headers.append(name, value);
    else if (!response.headers.has(name)) response.headers.set(name, value);
  }
  if (response.headers.get("content-type") === SSE_TYPE) shield(c);
  return response;
}

/**
 * Middleware that clones an answer in order to read it (for an ETag, for a log) would wait for the end of
 * the stream before it lets the first byte go, so the clone of a stream has no body. Compression needs no
 * such care: it respects `no-transform`.
 *
 * Done where responses are read from the context, because middleware often wraps them anew on the way.
 */
function shield<E extends Env>(c: Context<E>): void {
  const accessor = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(c), "res");
  if (accessor?.get === undefined) return;
  Object.defineProperty(c, "res", {
    ...accessor,
    get() {
      const response = accessor.get?.call(c) as Response;
      if (response.body === null || Object.hasOwn(response, "clone")) return response;
      return Object.defineProperty(response, "clone", { value: () => new Response(null, response) });
    },
  });
}
