/**
 * Changes that clients can be told of (a list changed, a resource was updated), and the bus that
 * carries them to whoever listens. The shapes are the official SDK's (`ServerEvent`,
 * `ServerEventBus`), with no import from it.
 * @module
 */
import type { JsonObject, JsonRpcNotification } from "./jsonrpc/messages.ts";

/** What clients are told of; each kind is one notification of the protocol. */
export type Notice = (
  | { kind: "tools_list_changed" | "prompts_list_changed" | "resources_list_changed" }
  | { kind: "resource_updated"; uri: string }
) & {
  /** More parameters for the notification. */
  params?: JsonObject | undefined;
};

/** No client is told of it as it is: whoever waits for the name, in whichever isolate, looks what has become of it. */
export interface Signal {
  kind: "signal";
  name: string;
}

/** Something that changed. */
export type Change = Notice | Signal;

/** Carries changes from whoever publishes to everyone who listens. */
export interface ChangeBus {
  /** Sends a change on its way. Never throws, and waits for nobody. */
  publish(change: Change): void;
  /** Hears every change that is published from now on; returns what ends it. */
  subscribe(listener: (change: Change) => void): () => void;
  /** Resolves once nothing that is published from then on is missed; rejects where that cannot be had now. */
  ready?(): Promise<void>;
}

/** Buses by topic: what is published on one is heard on no other. */
export interface ChangeHub {
  /** The bus of a topic: the same each time. */
  bus(topic: string): ChangeBus;
}

/** Tells clients of changes: `subscriptions/listen` streams, and sessions that subscribed. */
export interface Notifier {
  /** `notifications/tools/list_changed`. */
  toolsListChanged(): void;
  /** `notifications/prompts/list_changed`. */
  promptsListChanged(): void;
  /** `notifications/resources/list_changed`. */
  resourcesListChanged(): void;
  /** `notifications/resources/updated`, to those that have subscribed to this URI. */
  resourceUpdated(uri: string): void;
  /** Any of them, by its kind, with further parameters where it has some. Never throws. */
  publish(change: Change): void;
}

/** The topic of deployments that use one hub for all. */
export const DEFAULT_TOPIC = "default";

/**
 * A notifier with a method for each kind of change; `publish` is handed each, and must not throw. Functions of their
 * own, for it is in the user's hands: it may be taken apart.
 */
export function createNotifier(publish: (change: Change) => void): Notifier {
  return {
    toolsListChanged: () => publish({ kind: "tools_list_changed" }),
    promptsListChanged: () => publish({ kind: "prompts_list_changed" }),
    resourcesListChanged: () => publish({ kind: "resources_list_changed" }),
    resourceUpdated: (uri) => publish({ kind: "resource_updated", uri }),
    publish,
  };
}

const METHODS: Readonly<Record<Notice["kind"], string>> = {
  tools_list_changed: "notifications/tools/list_changed",
  prompts_list_changed: "notifications/prompts/list_changed",
  resources_list_changed: "notifications/resources/list_changed",
  resource_updated: "notifications/resources/updated",
};

/** False for a kind that a later version publishes, and this one has no notification for. */
export function isKnown({ kind }: Change): boolean {
  return kind === "signal" || Object.hasOwn(METHODS, kind);
}

/** The name under which a session asks for changes like this one. */
export function nameOf(change: Change): string {
  // Which no session asks for.
  if (change.kind === "signal") return `signal ${change.name}`;
  return change.kind === "resource_updated" ? resourceName(change.uri) : LISTS_NAME;
}

/** The name of updates of one resource. */
export function resourceName(uri: string): string {
  return `resource_updated ${uri}`;
}

/** The name of changes of any list: who hears of one hears of all. */
export const LISTS_NAME = "list_changed";

/** The notification that says so on the wire. */
export function notificationOf(change: Notice): JsonRpcNotification {
  const method = METHODS[change.kind];
  const params = change.kind === "resource_updated" ? { ...change.params, uri: change.uri } : change.params;
  return { jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) };
}

/** A hub within one process. A listener that throws keeps nothing from the others. */
export function createMemoryHub(onError: (error: unknown) => void = () => {}): ChangeHub {
  const topics = new Map<string, Set<(change: Change) => void>>();
  return {
    bus: (topic) => ({
      publish(change) {
        for (const listener of topics.get(topic) ?? []) {
          try {
            listener(change);
          } catch (error) {
            onError(error);
          }
        }
      },
      subscribe(listener) {
        const listeners = topics.get(topic) ?? new Set();
        topics.set(topic, listeners);
        // Under a key of its own: one function may subscribe twice.
        const own = (change: Change): void => listener(change);
        listeners.add(own);
        return () => {
          listeners.delete(own);
          if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic);
        };
      },
    }),
  };
}
