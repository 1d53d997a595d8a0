/** The stateless era at the edge: what the router knows of a request, handed to the handler of that era. @module */
import type { Env } from "hono";
import { DEFAULT_TOPIC } from "../changes.ts";
import { messageOf } from "../events.ts";
import type { ModernHandler } from "../host.ts";
import { acceptedAnswers } from "../http/negotiate.ts";
import { PROTOCOL_VERSION, single } from "../http/headers.ts";
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { type Payload, refusalId } from "../jsonrpc/messages.ts";
import { type Admitted, type Site, withHeaders } from "./context.ts";

/** Answers a request of 2026-07-28. A session id that it may carry means nothing (C30). */
export async function stateless<E extends Env>(
  { settings, hub }: Site<E>,
  handler: ModernHandler<E["Bindings"]>,
  { c, request, caller, headers }: Admitted<E>,
  payload: Payload,
): Promise<Response> {
  if (acceptedAnswers(request.headers.get("accept")) !== "any") {
    const failure = failures.notAcceptable("application/json and text/event-stream");
    return failed(failure, headers, refusalId(payload));
  }
  const topic = caller.topic ?? DEFAULT_TOPIC;
  const response = await handler.handle({
    request: undoubled(request),
    payload,
    caller,
    env: c.env,
    topic,
    bus: hub?.bus(topic),
    settings,
    onError: (error) => settings.emit("request.error", { method: "POST", message: messageOf(error) }),
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
