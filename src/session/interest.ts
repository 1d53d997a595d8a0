/**
 * The session's side of the hub: where its server publishes, and what it wants to hear. That is
 * updates of the resources that its client subscribed to, and changes of the lists once the client
 * has opened a stream to hear them on. The hub keeps the session's name, so that a session that
 * sleeps is told too; what is passed on is decided here.
 * @module
 */
import {
  type Change,
  createNotifier,
  DEFAULT_TOPIC,
  LISTS_NAME,
  nameOf,
  notificationOf,
  type Notifier,
  resourceName,
} from "../changes.ts";
import { type EventSink, messageOf, shortId } from "../events.ts";
import { toWire } from "../jsonrpc/wire.ts";
import { isSubscribed } from "./journal.ts";
import type { SessionChanges } from "./ports.ts";
import type { SessionStore } from "./store.ts";

export interface Interest {
  /** For the session's server. */
  readonly notify: Notifier;
  /** A request of this topic came in; a session's requests are all of one. */
  by(topic: string): void;
  /**
   * Asks the hub for resources, before the messages that subscribe to them are dispatched: nothing that is
   * published after the answer may be missed.
   */
  subscribing(uris: readonly string[]): Promise<void>;
  /** The client has opened the stream that unrelated messages take. */
  listening(): void;
  /** Parts what the hub sent: the notifications for the client, as JSON, and the names that the hub can forget. */
  sift(changes: readonly Change[]): { wanted: string[]; unwanted: string[] };
  /** The session has ended. */
  end(): void;
}

/** The session whose interest it is. */
export interface Interested {
  readonly id: string;
  readonly store: SessionStore;
  readonly emit: EventSink;
  isLive(): boolean;
}

/** What the session's entry for a topic says: its hub holds our name for resources, or for the lists too. */
const RESOURCES = "resources";
export const LISTS = "lists";

/** A host gives it to its sessions where it has a hub; without one a session carries none of this. */
export function createInterest(
  changes: SessionChanges,
  { id: sessionId, store, emit, isLive }: Interested,
): Interest {
  let topic = DEFAULT_TOPIC;

  const watch = async (names: readonly string[]): Promise<boolean> => {
    try {
      // Noted first: what the hub holds must be taken back one day, by whichever isolate ends the session.
      if (store.entry("watch", topic) === undefined) store.putEntry("watch", topic, RESOURCES);
      await changes.watch(topic, names);
      return true;
    } catch (error) {
      emit("listen.watch_failed", { topic, session: shortId(sessionId), message: messageOf(error) });
      return false;
    }
  };

  return {
    notify: createNotifier((change) => changes.publish(topic, change)),
    by: (named) => void (topic = named),
    async subscribing(uris) {
      await watch(uris.map(resourceName));
    },
    listening() {
      const at = topic;
      if (store.entry("watch", at) === LISTS) return;
      void watch([LISTS_NAME]).then((known) => {
        if (known && isLive()) store.putEntry("watch", at, LISTS);
      });
    },
    sift(told) {
      const wanted: string[] = [];
      const unwanted: string[] = [];
      for (const change of told) {
        const isWanted = change.kind !== "resource_updated" || isSubscribed(store, change.uri);
        if (isWanted) wanted.push(toWire(notificationOf(change)));
        else unwanted.push(nameOf(change));
      }
      return { wanted, unwanted };
    },
    end() {
      for (const { name } of store.entries("watch")) changes.forget(name);
    },
  };
}
