/**
 * HTTP+SSE (2024-11-05): a GET opens the stream, which is the session; POSTs go to the endpoint that
 * its first event names, and every answer comes back on the stream.
 * @module
 */
import type { Env } from "hono";
import type { SessionRef } from "../host.ts";
import { SSE_TYPE } from "../http/headers.ts";
import { acceptsByName } from "../http/negotiate.ts";
import { QUIRKS } from "../http/quirks.ts";
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { refusalId } from "../jsonrpc/parse.ts";
import { parseEventId } from "../sse/event-id.ts";
import { frame } from "../sse/frames.ts";
import { namedOnDemand, respond } from "./answer.ts";
import { type Admitted, findSession, lastEventIdOf, type Site } from "./context.ts";
import { establish, postOnce, readMessages } from "./streamable.ts";

/** What `Allow` says at `/sse`. */
export const STREAM_METHODS = "GET";
/** What `Allow` says at `/messages`. */
export const MESSAGE_METHODS = "POST";

/**
 * Opens a session, or goes on with one: a browser's EventSource comes back with the id of the last
 * event, which names the session. The official SDKs' client comes back without, and gets a new session
 * that takes requests without an `initialize`, because that client never sends another.
 */
export async function stream<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { c, request, headers, caller } = admitted;
  // By name: the stream is a session, and a browser's image takes anything.
  if (!acceptsByName(request.headers.get("accept"), SSE_TYPE)) {
    return failed(failures.notAcceptable(SSE_TYPE), headers);
  }
  const noRetry = QUIRKS.noRetry(request.headers);
  const attachTo = async (
    ref: SessionRef,
    opens: boolean,
    lastEventId: string | undefined,
  ): Promise<Response> => {
    const connectionId = namedOnDemand();
    const answer = await establish(site, ref, {
      opens,
      transport: "http+sse",
      caller,
      connectionId: connectionId(),
      lastEventId,
      redial: false,
      noRetry,
    });
    // The hint is EventSource's. Alone in a frame, go-sdk takes it for an empty message.
    const prelude = frame({
      event: "endpoint",
      data: endpoint(site, c.req.path, ref.id),
      ...(noRetry ? {} : { retry: site.settings.retryMs }),
    });
    return respond(answer, {
      site,
      admitted,
      ref,
      connectionId,
      transport: "http+sse",
      prelude,
    });
  };

  const lastEventId = lastEventIdOf(request);
  const session = lastEventId === undefined ? undefined : parseEventId(lastEventId)?.session;
  const known = session === undefined ? undefined : site.host.find(session, c.env);
  if (known !== undefined) {
    const resumed = await attachTo(known, false, lastEventId);
    // An EventSource gives up for ever on an error: what cannot be resumed starts anew.
    if (resumed.ok) return resumed;
  }
  return attachTo(site.host.mint(c.env), true, undefined);
}

/** Takes a message for a session; its answer comes on the session's stream. */
export async function message<E extends Env>(site: Site<E>, admitted: Admitted<E>): Promise<Response> {
  const { request, headers, caller } = admitted;
  const { searchParams } = new URL(request.url);
  const id = searchParams.get("sessionId") ?? searchParams.get("session_id") ?? undefined;
  const ref = id === undefined ? failures.missingLegacySessionId : findSession(site, admitted, id);
  // A stranger's body is read for the id under which it is refused, and no further than that can stand.
  const { maxBodyBytes, maxInitializeBytes } = site.settings;
  const limit = "status" in ref ? Math.min(maxInitializeBytes, maxBodyBytes) : maxBodyBytes;
  const body = await readMessages(site, admitted, limit);
  if ("failure" in body) return failed("status" in ref ? ref : body.failure, headers, body.id);
  const refusesAs = refusalId(body.payload);
  if ("status" in ref) return failed(ref, headers, refusesAs);
  const connectionId = namedOnDemand();
  const answer = await postOnce(
    ref,
    {
      opens: false,
      transport: "http+sse",
      caller,
      accept: "any",
      needsStream: QUIRKS.needsStream(request.headers),
      connectionId,
      ...body,
    },
    site.settings,
  );
  // The edge's word that a call was interrupted has no stream to go to: the POST itself fails.
  if (answer.kind === "json") return failed(failures.unreachable, headers, refusesAs);
  const { payload } = body;
  return respond(answer, { site, admitted, ref, connectionId, transport: "http+sse", payload });
}

/** Where to POST, relative to the origin so that proxies need not be understood; absolute with `publicUrl`. */
function endpoint<E extends Env>(site: Site<E>, path: string, sessionId: string): string {
  const { publicUrl } = site.settings;
  const mount = publicUrl ?? path.replace(/\/sse\/?$/, "");
  return `${mount}/messages?sessionId=${sessionId}`;
}
