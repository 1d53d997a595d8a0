/**
 * The session host on Cloudflare: one Durable Object a session, under the object's own unique id.
 * `idFromString` refuses what this namespace did not mint, so a forged id never creates or wakes one.
 * @module
 */
import type { Answer, Attached, SessionHost, SessionRef } from "../src/host.ts";
import type { UserReply } from "../src/user/store.ts";
import { bodyLink, socketLink } from "./links.ts";
import { decodeReply, encodeAttach, encodeCall, encodeEnd, PATHS, placeOf } from "./wire.ts";

export interface DurableHostOptions<Env> {
  /** The namespace of the session class, as bound in the Worker's configuration. */
  readonly namespace: (env: Env) => DurableObjectNamespace;
  /** Where sessions are kept, such as `eu`. */
  readonly jurisdiction?: DurableObjectJurisdiction | undefined;
}

export function durableHost<Env>(options: DurableHostOptions<Env>): SessionHost<Env> {
  const namespaceOf = (env: Env): DurableObjectNamespace => {
    const namespace = options.namespace(env);
    return options.jurisdiction === undefined ? namespace : namespace.jurisdiction(options.jurisdiction);
  };
  return {
    find(id, env) {
      const namespace = namespaceOf(env);
      try {
        return sessionRef(namespace, namespace.idFromString(id));
      } catch {
        return undefined;
      }
    },
    mint(env) {
      const namespace = namespaceOf(env);
      return sessionRef(namespace, namespace.newUniqueId());
    },
    named(name, env) {
      const namespace = namespaceOf(env);
      return sessionRef(namespace, namespace.idFromName(name));
    },
    user: (name, env) => async (request) => {
      const namespace = namespaceOf(env);
      const response = await namespace
        .get(namespace.idFromName(name))
        .fetch(PATHS.user, { method: "POST", body: JSON.stringify(request) });
      if (!response.ok) throw new Error(`the user's state answered ${response.status}`);
      return response.json<UserReply>();
    },
  };
}

function sessionRef(namespace: DurableObjectNamespace, id: DurableObjectId): SessionRef {
  // A stub that has seen an exception is of no further use: each call takes a fresh one.
  const call = (url: string, init: RequestInit): Promise<Response> => namespace.get(id).fetch(url, init);

  return {
    id: id.toString(),
    async post(request): Promise<Answer> {
      const response = await call(PATHS.post, { method: "POST", body: encodeCall(request) });
      if (response.status === 202) return { kind: "accepted" };
      if (response.status === 206 && response.body !== null) {
        return { kind: "stream", link: bodyLink(response.body, placeOf(response)) };
      }
      return (await decodeReply(response)) ?? unexpected(response);
    },
    async attach(request): Promise<Attached> {
      const response = await call(PATHS.attach, { headers: encodeAttach(request) });
      if (response.webSocket)
        return { kind: "stream", link: socketLink(response.webSocket, request.lastEventId) };
      const reply = await decodeReply(response);
      return reply?.kind === "refused" ? reply : unexpected(response);
    },
    async end(caller) {
      const response = await call(PATHS.end, { method: "POST", body: encodeEnd(caller) });
      if (response.status === 204) return { kind: "ended" };
      const reply = await decodeReply(response);
      return reply?.kind === "refused" ? reply : unexpected(response);
    },
  };
}

function unexpected(response: Response): never {
  throw new Error(`the session object answered ${response.status}`);
}
