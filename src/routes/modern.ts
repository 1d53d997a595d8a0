/** What belongs to no session: a request with all that the router knows of it, handed to who serves such. @module */
import type { Env } from "hono";
import { DEFAULT_TOPIC } from "../changes.ts";
import { messageOf } from "../log-text.ts";
import type { StatelessCall } from "../host.ts";
import { PROTOCOL_VERSION, single } from "../http/headers.ts";
import type { Payload } from "../jsonrpc/messages.ts";
import { type Admitted, type Site, withHeaders } from "./context.ts";

/** Who serves requests that belong to no session. */
interface StatelessHandler<Env> {
  handle(call: StatelessCall<Env>): Promise<Response>;
}

/** Answers a request that belongs to no session: in 2026-07-28 an id that it may carry means nothing (C30). */
export async function stateless<E extends Env>(
  { settings, hub, host, waitUntil }: Site<E>,
  { c, request, caller, since, headers }: Admitted<E>,
  { handler, payload }: { handler: StatelessHandler<E["Bindings"]>; payload: Payload },
): Promise<Response> {
  const topic = caller.topic ?? DEFAULT_TOPIC;
  const response = await handler.handle({
    request: undoubled(request),
    payload,
    caller,
    env: c.env,
    topic,
    bus: hub?.bus(topic),
    userChannel: (name) => host.user(name, c.env),
    waitUntil,
    guests: () => host.guests(c.env),
    since,
    endings: host.endings,
    settings,
    onError: (error) => {
      const stack = error instanceof Error ? error.stack : undefined;
      settings.emit("request.error", { method: "POST", message: messageOf(error), stack });
    },
  });
  return withHeaders(response, headers);
}

/** The handler compares the version header with the body: one that a proxy has doubled is put right before. */
function undoubled(request: Request): Request {
  const version = request.headers.get(PROTOCOL_VERSION);
  const once = single(version);
  if (once === null || once === version) return request;
  const headers = new Headers(request.headers);
  headers.set(PROTOCOL_VERSION, once);
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}
