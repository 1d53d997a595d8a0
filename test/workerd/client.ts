/** A client of the server inside vitest's workerd, with a way into the session's object. @module */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import type { Inspection } from "../support/back-door.ts";
import { initialize, LATEST, type Message, notification, textOf, toolCall } from "../support/messages.ts";
import { connectSse, type SseConnection } from "../support/sse-client.ts";
import { eventually } from "../support/wait.ts";
import type { Variant } from "./index.ts";

const ORIGIN = "https://holdfast.test";

/** The object behind a session id. */
export function stubOf(variant: Variant, id: string): DurableObjectStub {
  const namespaces = {
    calm: env.CALM,
    brief: env.BRIEF,
    watched: env.WATCHED,
    roomy: env.ROOMY,
    pinging: env.PINGING,
  };
  const namespace = namespaces[variant];
  return namespace.get(namespace.idFromString(id));
}

/** What an object has stored. Wakes it, if it sleeps. */
export function inspectObject(
  stub: DurableObjectStub,
): Promise<Pick<Inspection, "alarm" | "sockets" | "tables">> {
  return runInDurableObject(stub, async (_, state) => {
    const { storage } = state;
    const names = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf*'")
      .toArray();
    return {
      alarm: await storage.getAlarm(),
      sockets: state.getWebSockets().length,
      tables: Object.fromEntries(
        names.map(({ name }) => [name, storage.sql.exec(`SELECT * FROM ${name}`).toArray()]),
      ),
    };
  });
}

/**
 * Puts the object to sleep, as soon as what was under way in it has let go of it: the runtime waits for that for a moment
 * of its own, which a busy machine outlasts.
 */
export async function evict(stub: DurableObjectStub): Promise<void> {
  const refusal = await eventually(async () => {
    try {
      await evictDurableObject(stub);
      return undefined;
    } catch (error) {
      if (String(error).includes("active references")) throw error;
      return error;
    }
  });
  if (refusal !== undefined) throw refusal;
}

/** `fetch` to the Worker under test. */
export function fetchWorker(path: string, init?: RequestInit): Promise<Response> {
  return exports.default.fetch(`${ORIGIN}${path}`, init);
}

export interface PoolSession {
  readonly id: string;
  readonly stub: DurableObjectStub;
  post(message: Message): Promise<Response>;
  /** Calls a tool that answers at once. */
  tool(name: string, args?: Record<string, unknown>): Promise<string | undefined>;
  /** POSTs a request whose answer is a stream. */
  stream(message: Message): Promise<SseConnection>;
  get(lastEventId?: string): Promise<SseConnection>;
  remove(): Promise<Response>;
}

/** Opens a session: `initialize`, `initialized`. */
export async function openSession(variant: Variant, version: string = LATEST): Promise<PoolSession> {
  const session = await startSession(variant, version);
  await (await session.post(notification("notifications/initialized"))).text();
  return session;
}

/** Sends `initialize` and nothing else. */
export async function startSession(variant: Variant, version: string = LATEST): Promise<PoolSession> {
  const path = `/${variant}/mcp`;
  let headers: Record<string, string> = {
    Accept: "application/json, text/event-stream",
    "Content-Type": "application/json",
  };
  const post = (message: Message, signal?: AbortSignal): Promise<Response> =>
    fetchWorker(path, {
      method: "POST",
      headers,
      body: JSON.stringify(message),
      ...(signal === undefined ? {} : { signal }),
    });
  const opened = await post(initialize(version));
  const id = opened.headers.get("mcp-session-id");
  await opened.text();
  if (id === null) throw new Error(`no session: ${opened.status}`);
  headers = { ...headers, "Mcp-Session-Id": id, "MCP-Protocol-Version": version };

  const connect = async (asked: (signal: AbortSignal) => Promise<Response>): Promise<SseConnection> => {
    const controller = new AbortController();
    const response = await asked(controller.signal);
    if (response.headers.get("content-type") !== "text/event-stream") {
      throw new Error(`expected a stream: ${response.status} ${await response.text()}`);
    }
    return connectSse(response, () => controller.abort());
  };
  return {
    id,
    stub: stubOf(variant, id),
    post: (message) => post(message),
    tool: async (name, args) => textOf((await (await post(toolCall(name, args))).json()) as Message),
    stream: (message) => connect((signal) => post(message, signal)),
    get: (lastEventId) =>
      connect((signal) =>
        fetchWorker(path, {
          headers: {
            ...headers,
            Accept: "text/event-stream",
            ...(lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId }),
          },
          signal,
        }),
      ),
    remove: () => fetchWorker(path, { method: "DELETE", headers }),
  };
}
