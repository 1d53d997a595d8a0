/**
 * The hub as this isolate reaches it: a bus for each topic, and what sessions ask of it.
 * @module
 */
import { env, waitUntil } from "cloudflare:workers";
import type { Change, ChangeBus, ChangeHub } from "../src/changes.ts";
import type { EventSink } from "../src/events.ts";
import type { SessionChanges } from "../src/session/interest.ts";
import { createListeners, type Listeners } from "./hub-link.ts";
import { createPublisher, type Publisher } from "./hub-publisher.ts";
import { HUB_PATHS, type Publication, type WatchRequest } from "./hub-wire.ts";
import { stamped, versionOf } from "../src/wire/version.ts";

/** Where the hubs' objects are, and how their links are kept. */
export interface HubOptions<Env> {
  /** The namespace of the hub class; throws where it is not bound. */
  readonly namespace: (env: Env) => DurableObjectNamespace;
  readonly beatMs: number;
  readonly emit: EventSink;
}

/** The hub as this isolate reaches it, for the router and for sessions. */
export interface WorkerHub extends ChangeHub {
  /** Publishes a change and waits for the hub to have it; rejects where it may not. */
  announce(topic: string, change: Change): Promise<void>;
  /** The hub as the session of this id sees it. */
  forSession(id: string): SessionChanges;
}

/** Buses that an isolate keeps before it looks for some that nobody uses. */
const MANY = 1000;

/** One for each isolate; reaches nobody before it is used. */
export function createHub<Env>(options: HubOptions<Env>): WorkerHub {
  const { emit, beatMs } = options;
  const buses = new Map<string, { listeners: Listeners; publisher: Publisher; bus: ChangeBus }>();

  // The binding is asked for each time: stubs belong to the request that uses them.
  const stub = (topic: string): DurableObjectStub => {
    const namespace = options.namespace(env as Env);
    return namespace.get(namespace.idFromName(topic));
  };

  const post = async (topic: string, path: string, body: unknown): Promise<void> => {
    const answer = await stub(topic).fetch(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: stamped(),
    });
    versionOf(answer);
    if (!answer.ok) throw new Error(`the hub answered ${answer.status}`);
  };

  const busOf = (topic: string): ChangeBus => {
    const known = buses.get(topic);
    if (known !== undefined) return known.bus;
    if (buses.size >= MANY) sweep();
    const listeners = createListeners({ topic, hub: () => stub(topic), emit, beatMs });
    const publisher = createPublisher({
      topic,
      send: (publication) => post(topic, HUB_PATHS.publish, publication),
      background: waitUntil,
      emit,
    });
    const { subscribe, ready } = listeners;
    const bus: ChangeBus = { subscribe, ready, publish: (change) => publisher.publish(change) };
    buses.set(topic, { listeners, publisher, bus });
    return bus;
  };

  const sweep = (): void => {
    for (const [topic, { listeners, publisher }] of buses) {
      if (listeners.isIdle() && publisher.isIdle()) buses.delete(topic);
    }
  };

  return {
    bus: busOf,
    async announce(topic, change) {
      const id = crypto.randomUUID();
      const send = (again: boolean): Promise<void> =>
        post(topic, HUB_PATHS.publish, { id, changes: [change], again } satisfies Publication);
      // A hub that is being reset takes it a moment later.
      await send(false).catch(() => send(true));
    },
    forSession: (session) => ({
      publish: (topic, change) => busOf(topic).publish(change),
      watch: (topic, names, drop) =>
        post(topic, HUB_PATHS.watch, { session, names, drop } satisfies WatchRequest),
      // A hub that is not told finds out when it next tells the session of something.
      forget: (topic) => waitUntil(post(topic, HUB_PATHS.forget, { session }).catch(() => {})),
    }),
  };
}
