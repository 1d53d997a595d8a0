/** What other processes ask of this one: requests with the cluster's signature, for sessions that this process has. @module */
import type { Attach, Call } from "../host.ts";
import { type Change, isKnown } from "../changes.ts";
import { otherVersion } from "../jsonrpc/failures.ts";
import type { Settings } from "../options.ts";
import { within } from "../within.ts";
import type { OwnerLink } from "./link.ts";
import { digestOf, type Seal } from "./seal.ts";
import { NotHere, type Owned } from "./owned.ts";
import type { OwnerAnswer, Tenure } from "./tenure.ts";
import {
  type Asked,
  ASKED,
  BEAT,
  BEAT_MS,
  decodeAttachBody,
  decodeCall,
  decodeChanges,
  decodeEnd,
  decodeGuestRequest,
  decodeHanded,
  EARLY_BEAT,
  encodeAnswer,
  encodeReply,
  HEADERS,
  NOWHERE,
  QUICK_MS,
  READ_BY_ALL,
  reportUnreadable,
  stamp,
  STATUS,
  STREAM_LINE,
  versionOf,
  WIRE,
} from "./wire.ts";

/** What other processes may ask for. */
export interface InboundOptions {
  readonly seal: Seal;
  readonly settings: Settings;
  /** The node that this process is now. */
  readonly node: () => string | undefined;
  /** The session, where this process has it, or can take it; rejects with {@link NotHere}. */
  readonly here: (session: string, mayCreate: boolean) => Promise<{ tenure: Tenure; owned: Owned }>;
  /** Tells all who listen in this process. */
  readonly publish: (topic: string, changes: readonly Change[]) => void;
}

/** Answers a request of another process; `asked` is the last part of its path. */
export type Inbound = (request: Request, asked: string) => Promise<Response>;

const encoder = new TextEncoder();
const empty = (status: number): Response => new Response(null, { status });

/** Answers whoever has the secret. */
export function createInbound(options: InboundOptions): Inbound {
  const { seal, settings, here } = options;
  /** Links whose edges are elsewhere, by session and connection. */
  const links = new Map<string, OwnerLink>();

  /** The link as a body: at the reader's pace, with beats in silence. */
  const bodyOf = (name: string, link: OwnerLink, head: string): ReadableStream<Uint8Array> => {
    links.set(name, link);
    const forget = (): void => {
      clearInterval(beats);
      if (links.get(name) === link) links.delete(name);
    };
    let isQuiet = true;
    let beats: ReturnType<typeof setInterval>;
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          controller.enqueue(encoder.encode(head));
          beats = setInterval(() => {
            if (isQuiet && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(BEAT));
            isQuiet = true;
          }, BEAT_MS);
        },
        async pull(controller) {
          const chunk = await link.read().catch(() => {
            // Not ended: broken off, so that the edge dials again.
            forget();
            controller.error(new Error("the link broke"));
          });
          isQuiet = false;
          if (chunk !== undefined) return controller.enqueue(chunk);
          if (!links.has(name)) return;
          forget();
          link.lose();
          controller.close();
        },
        cancel() {
          forget();
          // The edge may say by itself what it had handed over.
          link.lose();
        },
      },
      { highWaterMark: 1 },
    );
  };

  /** Says who is here: a node that was here before is gone then. */
  const notHere = (): Response => {
    const response = empty(STATUS.notHere);
    const node = options.node();
    if (node !== undefined) response.headers.set(HEADERS.node, node);
    return response;
  };

  const nameOf = (session: string, connectionId: string): string => `${session} ${connectionId}`;

  /** The reply where it is quick; else its beginning, and the rest as it comes. */
  const streamed = async (
    session: string,
    asked: Call | Attach,
    replying: Promise<OwnerAnswer>,
  ): Promise<Response> => {
    const connectionId =
      typeof asked.connectionId === "string" ? asked.connectionId : (asked.connectionId as () => string)();
    const name = nameOf(session, connectionId);
    const quick = await within(replying, QUICK_MS);
    if (quick !== undefined) {
      if (quick.kind !== "stream") return encodeReply(quick);
      const { link } = quick;
      return eventStream(
        encodeReply({ kind: "streaming" }, { body: bodyOf(name, link, BEAT), at: link.at ?? NOWHERE }),
      );
    }
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    void late(replying, writable, (link) =>
      bodyOf(name, link, `${WIRE} ${STREAM_LINE} ${link.at ?? NOWHERE}\n${BEAT}`),
    );
    return eventStream(new Response(readable, { status: STATUS.later }));
  };

  const answer = async (asked: Asked, session: string, body: string): Promise<Response> => {
    switch (asked) {
      case "post": {
        const call = decodeCall(body, settings.maxInitializeBytes);
        if ("failure" in call) return encodeReply({ kind: "refused", failure: call.failure });
        const { tenure, owned } = await here(session, call.keyed !== undefined);
        return await streamed(session, call, tenure.post(owned, call, true));
      }
      case "attach": {
        const attach = decodeAttachBody(body);
        const { tenure, owned } = await here(session, attach.keyed !== undefined);
        return await streamed(session, attach, tenure.attach(owned, attach, true));
      }
      case "end": {
        const caller = await decodeEnd(new Request("http://peer/", { method: "POST", body }));
        const { tenure, owned } = await here(session, false);
        const ended = await tenure.end(owned, caller);
        return ended.kind === "ended" ? empty(204) : encodeReply(ended);
      }
      case "terminate": {
        const { tenure, owned } = await here(session, false);
        return empty((await tenure.terminate(owned)) ? 204 : 404);
      }
      case "live": {
        const { tenure, owned } = await here(session, false);
        return empty((await tenure.isLive(owned)) ? 204 : 404);
      }
      case "inspect": {
        const { tenure, owned } = await here(session, false);
        const detail = await tenure.inspect(owned);
        return detail === undefined ? empty(404) : Response.json(detail);
      }
      case "guest": {
        const { request, caller } = decodeGuestRequest(body);
        const { tenure, owned } = await here(session, false);
        return Response.json(await tenure.ask(owned, request, caller));
      }
      case "notify": {
        const { changes } = decodeChanges(body);
        const { tenure, owned } = await here(session, false);
        await tenure.notify(owned, changes.filter(isKnown));
        return empty(204);
      }
      case "publish": {
        const { topic, changes } = decodeChanges(body);
        options.publish(topic, changes.filter(isKnown));
        return empty(204);
      }
      case "ack":
      case "leave": {
        const { connectionId, seq } = decodeHanded(body);
        const link = links.get(nameOf(session, connectionId));
        if (asked === "ack") link?.ack(seq);
        else link?.close("client", seq);
        return empty(204);
      }
    }
  };

  return async (request, asked) => {
    const { headers } = request;
    const [node = "", session = "", digest = "", signature = ""] = [
      HEADERS.node,
      HEADERS.session,
      HEADERS.digest,
      HEADERS.signature,
    ].map((name) => headers.get(name) ?? "");
    const isOurs = isAsked(asked) && seal.isSigned(signature, asked, node, session, digest);
    if (!isOurs) return empty(STATUS.unsigned);
    const body = await request.text();
    if (digestOf(body) !== digest) return empty(STATUS.unsigned);
    if (node !== options.node()) return notHere();
    try {
      const version = versionOf(request);
      return stamp(await answer(asked, session, body), version);
    } catch (error) {
      if (error instanceof NotHere) return notHere();
      reportUnreadable(settings.emit, { at: "session", what: asked }, error);
      return stamp(encodeReply({ kind: "refused", failure: otherVersion }), READ_BY_ALL);
    }
  };
}

function isAsked(text: string): text is Asked {
  return (ASKED as readonly string[]).includes(text);
}

/** As such it is passed on at once by whatever is in between. */
function eventStream(response: Response): Response {
  response.headers.set("content-type", "text/event-stream");
  response.headers.set("cache-control", "no-store");
  return response;
}

/** Writes beats until the reply is there, and then the reply. */
async function late(
  replying: Promise<OwnerAnswer>,
  writable: WritableStream<Uint8Array>,
  bodyOf: (link: OwnerLink) => ReadableStream<Uint8Array>,
): Promise<void> {
  const writer = writable.getWriter();
  const put = (text: string): Promise<void> => writer.write(encoder.encode(text));
  const beats = setInterval(() => void put(EARLY_BEAT).catch(() => {}), BEAT_MS);
  try {
    void put(EARLY_BEAT).catch(() => {});
    const reply = await replying;
    clearInterval(beats);
    if (reply.kind === "stream") {
      writer.releaseLock();
      return await bodyOf(reply.link).pipeTo(writable);
    }
    const text = encodeAnswer(reply);
    await put(typeof text === "string" ? text : `${WIRE} json\n${await text.text()}`);
    await writer.close();
  } catch (error) {
    clearInterval(beats);
    await writer.abort(error).catch(() => {});
  }
}
