/**
 * The session host on Cloudflare: one Durable Object a session, under the object's own unique id.
 * `idFromString` refuses what this namespace did not mint, so a forged id never creates or wakes one.
 * @module
 */
import { waitUntil } from "cloudflare:workers";
import type { Endings } from "../src/endings.ts";
import type { EventSink } from "../src/events.ts";
import { eventSink } from "../src/event-sink.ts";
import { shortId } from "../src/log-text.ts";
import type { GuestRef } from "../src/guest.ts";
import type { Answer, Attach, Attached, SessionHost, SessionRef } from "../src/host.ts";
import { isRequest, type JsonObject } from "../src/jsonrpc/messages.ts";
import { markOfText } from "../src/names.ts";
import { checkGiven, FUNCTION, SetupError, STRING, needed } from "../src/setup.ts";
import { watchCalls } from "../src/watch.ts";
import { parseEventId } from "../src/sse/event-id.ts";
import type { UserReply } from "../src/user/store.ts";
import { checkCompatibility } from "./bindings.ts";
import { bodyLink, socketLink } from "./links.ts";
import type { Jurisdiction, ObjectNamespace } from "./platform.ts";
import type { SessionObject } from "./session-object.ts";
import { reportUnreadable, stamped } from "../src/wire/version.ts";
import { encodeAttach, encodeAttachWhole } from "./wire-attach.ts";
import { decodeAnswer, decodeReply, type Replied } from "../src/wire/reply.ts";
import { encodeLeft, encodeMessage, PATHS } from "./wire.ts";
import { encodeCall, encodeEnd, encodeGuestRequest } from "../src/wire/call.ts";
import { MOST_RPC } from "../src/wire/reply.ts";

/** Where the sessions' objects are. */
export interface DurableHostOptions<Env> {
  /** The namespace of the session class, as bound in the Worker's configuration. */
  readonly namespace: (env: Env) => ObjectNamespace;
  /** Where sessions are kept, such as `eu`. */
  readonly jurisdiction?: Jurisdiction | undefined;
}

/**
 * @param emit hears of replies that cannot be read; without it they are logged
 * @param endings who is shut out; without it nobody is
 * @throws {TypeError} naming an option that is wrong
 * @throws {SetupError} where the Worker's compatibility date is too old for calls to objects
 */
export function durableHost<Env>(
  options: DurableHostOptions<Env>,
  emit: EventSink = eventSink(undefined, "info"),
  endings?: Endings,
): SessionHost<Env> {
  checkCompatibility();
  checkGiven("durableHost", options, { namespace: needed(FUNCTION), jurisdiction: STRING });
  const namespaceOf = (env: Env): DurableObjectNamespace => {
    const namespace = options.namespace(env) as DurableObjectNamespace;
    const { jurisdiction } = options;
    if (jurisdiction === undefined) return namespace;
    return namespace.jurisdiction(jurisdiction as DurableObjectJurisdiction);
  };
  return {
    endings,
    find(id, env) {
      const namespace = namespaceOf(env);
      try {
        return sessionRef(namespace, namespace.idFromString(id), emit);
      } catch {
        return undefined;
      }
    },
    mint(env) {
      const namespace = namespaceOf(env);
      return sessionRef(namespace, namespace.newUniqueId(), emit);
    },
    named(name, env) {
      const namespace = namespaceOf(env);
      return sessionRef(namespace, namespace.idFromName(name), emit);
    },
    user: (name, env) => async (request) => {
      const namespace = namespaceOf(env);
      const response = await namespace
        .get(namespace.idFromName(name))
        .fetch(PATHS.user, { method: "POST", body: JSON.stringify(request), headers: stamped() });
      if (!response.ok) throw new Error(`the user's state answered ${response.status}`);
      return response.json<UserReply>();
    },
    keep: (work) => waitUntil(work),
    guests(env) {
      const namespace = namespaceOf(env);
      return {
        mint: () => guestRef(namespace, namespace.newUniqueId()),
        find(id) {
          try {
            return guestRef(namespace, namespace.idFromString(id));
          } catch {
            return undefined;
          }
        },
      };
    },
  };
}

function guestRef(namespace: DurableObjectNamespace, id: DurableObjectId): GuestRef {
  return {
    id: id.toString(),
    async ask(request, caller) {
      const body = encodeGuestRequest(request, caller);
      const response = await namespace
        .get(id)
        .fetch(PATHS.guest, { method: "POST", body, headers: stamped() });
      if (!response.ok) throw new Error(`the guest's object answered ${response.status}`);
      return response.json<JsonObject>();
    },
  };
}

function sessionRef(namespace: DurableObjectNamespace, id: DurableObjectId, emit: EventSink): SessionRef {
  // A stub that has seen an exception is of no further use: each call takes a fresh one.
  const stub = (): DurableObjectStub & Pick<SessionObject<unknown>, "post"> =>
    namespace.get(id) as DurableObjectStub & Pick<SessionObject<unknown>, "post">;
  const call = (url: string, init: RequestInit): Promise<Response> => stub().fetch(url, init).catch(rethrow);

  /** Reads a reply; rejects for one that cannot be read, as for an object that died before it could answer. */
  const read = async (what: string, response: Response): Promise<Replied | undefined> => {
    try {
      return await decodeReply(response);
    } catch (error) {
      reportUnreadable(emit, { at: "edge", what }, error);
      throw error;
    }
  };

  const postByFetch = (encoded: string): Promise<Response> =>
    call(PATHS.post, { method: "POST", body: encoded, headers: stamped() });

  const postByMethod = async (encoded: string): Promise<string | Response> => {
    try {
      return await stub().post(encodeMessage(encoded));
    } catch (error) {
      if (!isWithoutMethod(error)) return rethrow(error);
      return postByFetch(encoded);
    }
  };

  const upgrade = async (request: Attach): Promise<Response> => {
    const { headers, prepare } = encodeAttach(request);
    if (prepare !== undefined) {
      const { status } = await call(PATHS.prepare, { method: "POST", body: prepare, headers: stamped() });
      if (status !== 204) return call(PATHS.attach, { headers: encodeAttachWhole(request) });
    }
    return call(PATHS.attach, { headers });
  };

  return {
    id: id.toString(),
    diedUnder({ payload, transport, caller: { principal } }) {
      const watch = watchCalls({ emit }, () => ({
        session: shortId(id.toString()),
        era: "session",
        transport,
        version: undefined,
        principal: principal && markOfText(principal),
        client: undefined,
        clientVersion: undefined,
      }));
      for (const request of payload.messages.filter(isRequest)) watch?.over(request, "interrupted");
    },
    async post(request): Promise<Answer> {
      const encoded = encodeCall(request);
      const answer = encoded.length > MOST_RPC ? await postByFetch(encoded) : await postByMethod(encoded);
      if (typeof answer === "string") {
        try {
          return decodeAnswer(answer);
        } catch (error) {
          reportUnreadable(emit, { at: "edge", what: "reply to post" }, error);
          throw error;
        }
      }
      const reply = (await read("reply to post", answer)) ?? unexpected(answer);
      if (reply.kind !== "stream") return reply;
      const stream = parseEventId(reply.at ?? "")?.stream;
      const onReached = async (seq: number): Promise<void> => {
        if (stream === undefined) return;
        const body = encodeLeft({ stream, connectionId: request.connectionId(), seq });
        // Told in vain, its client may miss something where it comes back without its place, or with none.
        // A body that nobody reads would keep the object.
        const told = call(PATHS.left, { method: "POST", body, headers: stamped() }).then(
          (response) => response.body?.cancel(),
          () => {},
        );
        waitUntil(told);
        await told;
      };
      return { kind: "stream", link: bodyLink(reply.body, reply.at, onReached) };
    },
    async attach(request): Promise<Attached> {
      const response = await upgrade(request);
      const reply = await read("reply to attach", response);
      if (response.webSocket) {
        const link = socketLink(response.webSocket, request.lastEventId, request.notesPlace === true);
        return { kind: "stream", link };
      }
      return reply?.kind === "refused" ? reply : unexpected(response);
    },
    async end(caller) {
      const response = await call(PATHS.end, { method: "POST", body: encodeEnd(caller), headers: stamped() });
      const reply = await read("reply to end", response);
      if (response.status === 204) return { kind: "ended" };
      return reply?.kind === "refused" ? reply : unexpected(response);
    },
  };
}

/**
 * True where the object, of version 0, has no such method, or the stub none, in a runtime that does not tell its flags to
 * `checkCompatibility`: nothing has run. The runtime says so by this message alone.
 */
function isWithoutMethod(error: unknown): boolean {
  return (
    error instanceof TypeError && /does not implement the method "post"|is not a function/.test(error.message)
  );
}

/** What the runtime says where the class that is bound answers no requests at all. */
const IS_NO_SESSION = /does not export a fetch\(\) function|does not implement the method "fetch"/;

/** Passes an error on; one that no other try would mend says so. */
function rethrow(error: unknown): never {
  if (!(error instanceof Error) || !IS_NO_SESSION.test(error.message)) throw error;
  throw new SetupError("the class that is bound for `namespace` is not McpSession");
}

function unexpected(response: Response): never {
  throw new Error(`the session object answered ${response.status}`);
}
