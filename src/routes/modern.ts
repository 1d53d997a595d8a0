/** The stateless era at the edge: what the router knows of a request, handed to the handler of that era. @module */
import type { Env } from "hono";
import { DEFAULT_TOPIC } from "../changes.ts";
import { messageOf } from "../events.ts";
import type { ModernHandler } from "../host.ts";
import { acceptedAnswers } from "../http/negotiate.ts";
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Payload } from "../jsonrpc/messages.ts";
import { type Admitted, type Site, withHeaders } from "./context.ts";

/** Answers a request of 2026-07-28. A session id that it may carry means nothing (C30). */
export async function stateless<E extends Env>(
  { settings, hub }: Site<E>,
  handler: ModernHandler<E["Bindings"]>,
  { c, request, caller, headers }: Admitted<E>,
  payload: Payload,
): Promise<Response> {
  if (acceptedAnswers(request.headers.get("accept")) !== "any") {
    return failed(failures.notAcceptable("application/json and text/event-stream"), headers);
  }
  const topic = caller.topic ?? DEFAULT_TOPIC;
  const response = await handler.handle({
    request,
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
