/**
 * One POST from its server's start to its end. The answer is plain JSON where it comes quickly and alone, else an
 * event stream without event ids: there is no log behind it, so there is nothing to resume.
 * @module
 */
import { createLiveStream, type LiveStream } from "../edge/live.ts";
import type { DisconnectReason, Outcome } from "../events.ts";
import type { Caller, StatelessCall } from "../host.ts";
import { SSE_HEADERS } from "../http/headers.ts";
import { acceptedAnswers } from "../http/negotiate.ts";
import { answered, empty, turnedAway } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { type JsonRpcRequest, type Payload, unknownClient } from "../jsonrpc/messages.ts";
import type { Settings } from "../options.ts";
import { createDelay } from "../session/calls/delays.ts";
import { CallExchange, JsonExchange } from "../session/calls/exchange.ts";
import type { Exchange } from "../session/server/reply.ts";
import { createExtra } from "../session/server/extra.ts";
import { Instance } from "../session/server/instance.ts";
import type { ConnectableServer } from "../session/server/factory.ts";
import { enterRoom } from "../room.ts";
import { isPermanent } from "../setup.ts";
import { asideFrame } from "../sse/frames.ts";
import { markOfText } from "../names.ts";
import { watchCalls } from "../watch.ts";
import { inTime, LONGEST_TIMER_MS } from "../within.ts";

/** One POST, and the server for it. */
export interface OneRequest extends Pick<StatelessCall, "since" | "endings"> {
  readonly request: Request;
  /** The POST's requests, at least one. */
  readonly requests: readonly JsonRpcRequest[];
  /** All that was POSTed. */
  readonly payload: Payload;
  readonly caller: Caller;
  /** The protocol revision that it speaks. */
  readonly version: string;
  readonly settings: Settings;
  readonly create: () => ConnectableServer | Promise<ConnectableServer>;
}

const encoder = new TextEncoder();

/** Serves it. Never rejects for what the user's server does; the response's stream ends with the server. */
export async function serveOnce(one: OneRequest): Promise<Response> {
  const { request, requests, payload, caller, settings, since, endings } = one;
  const { emit, initializeTimeoutMs, maxCallMs } = settings;
  const { signal } = request;
  const accept = acceptedAnswers(request.headers.get("accept"));
  let live: LiveStream | undefined;
  let exchange: Exchange | undefined;
  const { principal } = caller;
  const watch = principal === undefined ? undefined : endings?.watch(principal, since);

  const seen = watchCalls(settings, () => ({
    session: undefined,
    era: "request",
    transport: "streamable",
    version: one.version,
    principal: caller.principal && markOfText(caller.principal),
    client: undefined,
    clientVersion: undefined,
  }));
  const turnAway = (failure: failures.Failure): Response => {
    for (const each of requests) seen?.over(each, "refused");
    return turnedAway(failure, payload, { accept });
  };
  const leaveRoom = enterRoom(settings, payload.weight ?? 0);
  if (leaveRoom === undefined) {
    watch?.stop();
    return turnAway(failures.tooManyBodies);
  }

  const server = new Instance(
    {
      sessionId: undefined,
      settings,
      watch: seen,
      // All that this server says is said within this POST.
      sendUnrelated: (message) => exchange?.send(message) ?? Promise.resolve(),
      hasListener: () => false,
      refuseRequests: true,
      transaction: (body) => body(),
      onAnswered() {},
    },
    {
      create: one.create,
      // What the client said as it initialised is not known here. Nothing is promised in its name, so the SDKs
      // refuse by themselves to ask it anything.
      replay: { initialize: unknownClient(one.version), initialized: true, sticky: [] },
      onClosed() {},
    },
  );
  let expiry: ReturnType<typeof setTimeout> | undefined;
  /** Nobody waits any more: what still runs is aborted. */
  const over = (): void => end(failures.interrupted, "cancelled");
  const end = (why: Parameters<Exchange["fail"]>[0], outcome: Outcome): void => {
    if (expiry !== undefined) clearTimeout(expiry);
    signal.removeEventListener("abort", over);
    watch?.stop();
    leaveRoom();
    server.end((left) => left.fail(why), outcome);
  };
  // From here on: a client may leave while its server is still being built.
  signal.addEventListener("abort", over);
  try {
    const late = (): Error => new Error(`the server was not ready within ${initializeTimeoutMs} ms`);
    await inTime(server.ready, initializeTimeoutMs, late);
    signal.throwIfAborted();
  } catch (error) {
    over();
    const stack = error instanceof Error ? error.stack : undefined;
    if (!signal.aborted) emit("request.error", { method: "POST", message: String(error), stack });
    return turnAway(isPermanent(error) ? failures.broken : failures.notReady);
  }
  const lacking = await server.challenge(requests, caller.authInfo);
  if (lacking !== undefined) {
    over();
    return turnAway(lacking);
  }

  const asked = { requests, batch: payload.batch, rerun: false };
  const side = {
    // Its own: on Workers a timer belongs to the request that set it.
    quick: createDelay(settings.quickAnswerMs),
    maxHeld: settings.maxEventBytes,
    lasting: () => void watch?.everywhere().catch(() => {}),
    // A client that reads JSON alone hears nothing but the answer.
    sendStandalone: () => Promise.resolve(),
    asideStandalone() {},
    resumes: () => false,
    openStream() {
      const opened = (live = createLiveStream(settings, signal));
      void opened.ended.then(over);
      return {
        id: 0,
        emit: (message: string) => opened.write(encoder.encode(asideFrame(message))),
        aside: (message: string) => void opened.write(encoder.encode(asideFrame(message))).catch(() => {}),
        end: (reason: DisconnectReason) => opened.end(reason),
        finish: () => void opened.finish().catch(() => {}),
      };
    },
  };
  exchange = accept === "json" ? new JsonExchange(side, asked) : new CallExchange(side, asked);
  if (maxCallMs > 0) {
    expiry = setTimeout(() => server.expire(Infinity), Math.min(maxCallMs, LONGEST_TIMER_MS));
  }
  void watch?.ended.then(() => end(failures.sessionEnded, failures.SESSION_ENDED));
  const extra = createExtra(caller);
  for (const each of requests) server.request(each, exchange, extra, Infinity);

  const reply = await exchange.reply();
  if (reply.kind === "streaming" && live !== undefined) {
    return new Response(live.readable, { headers: SSE_HEADERS });
  }
  over();
  if (reply.kind !== "json") return empty(202);
  return answered(reply.body, {}, accept);
}
