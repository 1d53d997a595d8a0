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
import type { EventSink } from "../events.ts";
import { messageOf, shortId } from "../log-text.ts";
import { toWire } from "../jsonrpc/wire.ts";
import { isSubscribed } from "./server/journal.ts";
import type { SessionStore } from "./store/store.ts";

/** The hub, as a session sees it. */
export interface SessionChanges {
  /** Tells everyone who listens. Never throws, and waits for nobody. */
  publish(topic: string, change: Change): void;
  /**
   * From now on the session's `notify` is called for changes of the names `add` (`nameOf`), and no longer for those
   * of `drop`. Rejects where the hub cannot be reached, or has no room for all of `add`: it then has none of them.
   */
  watch(topic: string, add: readonly string[], drop: readonly string[]): Promise<void>;
  /** The session wants to hear nothing more. */
  forget(topic: string): void;
}

/** What a session wants to hear, and what of it the hub has been told. */
export interface Interest {
  /** For the session's server. */
  readonly notify: Notifier;
  /** A request of this topic came in; a session's requests are all of one. */
  by(topic: string): void;
  /** Asks the hub for a resource: true once nothing of it is missed any more, false where that cannot be had. */
  subscribing(uri: string): Promise<boolean>;
  /**
   * Asks for the resources of a session that is taken up again, of which the hub has forgotten all. What cannot be
   * had now is asked for again by the alarm. Never rejects.
   */
  revived(uris: readonly string[]): Promise<void>;
  /** The hub can forget the resource. */
  unsubscribed(uri: string): void;
  /** The client has opened the stream that unrelated messages take. Never rejects. */
  listening(): Promise<void>;
  /** The alarm rang: a hub that could not be asked then is asked again, for lists only while that stream is open. Never rejects. */
  again(isListening: boolean): Promise<void>;
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
  /** Makes sure that the session's alarm rings in this many milliseconds. */
  ringIn(ms: number): void;
}

/** What the session's entry for a topic says: its hub holds our name for resources, or for the lists too. */
const RESOURCES = "resources";
/** The one name for all changes of lists. */
export const LISTS = "lists";

/** How soon a hub is asked again that could not be; twice as late each time. */
const AGAIN_MS = 5000;
const AGAIN_MOST_MS = 300_000;

/** Something to ask of the hub. */
interface Wish {
  readonly topic: string;
  readonly name: string;
  readonly wanted: boolean;
  readonly settle: (isKnown: boolean) => void;
}

/** A host gives it to its sessions where it has a hub; without one a session carries none of this. */
export function createInterest(changes: SessionChanges, session: Interested): Interest {
  return new SessionInterest(changes, session);
}

class SessionInterest implements Interest {
  readonly #changes: SessionChanges;
  readonly #session: Interested;
  #topic = DEFAULT_TOPIC;
  #notify: Notifier | undefined;
  #wishes: Wish[] | undefined;
  #isAsking = false;
  #againMs = AGAIN_MS;
  /** Resources that a hub could not be asked for as the session was taken up again. */
  #missed: Set<string> | undefined;

  constructor(changes: SessionChanges, session: Interested) {
    this.#changes = changes;
    this.#session = session;
  }

  get notify(): Notifier {
    return (this.#notify ??= createNotifier((change) => this.#changes.publish(this.#topic, change)));
  }

  by(topic: string): void {
    this.#topic = topic;
  }

  subscribing(uri: string): Promise<boolean> {
    return this.#wish(this.#topic, resourceName(uri), true);
  }

  async revived(uris: readonly string[]): Promise<void> {
    try {
      await this.#watchMissed(uris);
    } catch (error) {
      this.#failed(this.#topic, error);
    }
  }

  unsubscribed(uri: string): void {
    void this.#wish(this.#topic, resourceName(uri), false);
  }

  listening(): Promise<void> {
    return this.#watchLists(this.#topic);
  }

  async again(isListening: boolean): Promise<void> {
    try {
      if (this.#missed !== undefined && this.#missed.size > 0) await this.#watchMissed([...this.#missed]);
      if (!isListening) return;
      // Of the topics that were noted: an isolate that was woken by its alarm has seen no request.
      for (const { name } of this.#session.store.entries("watch")) await this.#watchLists(name);
    } catch (error) {
      this.#failed(this.#topic, error);
    }
  }

  sift(told: readonly Change[]): { wanted: string[]; unwanted: string[] } {
    const wanted: string[] = [];
    const unwanted: string[] = [];
    for (const change of told) {
      if (change.kind === "signal") continue;
      const isWanted = change.kind !== "resource_updated" || isSubscribed(this.#session.store, change.uri);
      if (isWanted) wanted.push(toWire(notificationOf(change)));
      else unwanted.push(nameOf(change));
    }
    return { wanted, unwanted };
  }

  end(): void {
    for (const { name } of this.#session.store.entries("watch")) this.#changes.forget(name);
  }

  #failed(topic: string, error: unknown): void {
    const { emit, id } = this.#session;
    emit("listen.watch_failed", { topic, session: shortId(id), message: messageOf(error) });
  }

  async #askOnce(at: string, mine: readonly Wish[]): Promise<boolean> {
    const { store } = this.#session;
    // The last word on a name counts.
    const names = new Map(mine.map(({ name, wanted }) => [name, wanted]));
    const add = [...names].filter(([, wanted]) => wanted).map(([name]) => name);
    const drop = [...names].filter(([, wanted]) => !wanted).map(([name]) => name);
    try {
      // Noted first: what the hub holds must be taken back one day, by whichever isolate ends the session.
      if (add.length > 0 && store.entry("watch", at) === undefined) store.putEntry("watch", at, RESOURCES);
      await this.#changes.watch(at, add, drop);
      return true;
    } catch (error) {
      // What should have been dropped the hub finds out when it next tells of it.
      if (add.length > 0) this.#failed(at, error);
      return false;
    }
  }

  /** One question at a time, so that they arrive in order; what is wished for meanwhile, and by one batch, goes in one. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    await Promise.resolve();
    for (let first = this.#wishes?.[0]; first !== undefined; first = this.#wishes?.[0]) {
      const { topic: at } = first;
      const all = this.#wishes ?? [];
      const mine = all.filter((wish) => wish.topic === at);
      this.#wishes = all.filter((wish) => wish.topic !== at);
      const isKnown = this.#session.isLive() && (await this.#askOnce(at, mine));
      for (const { settle } of mine) settle(isKnown);
    }
    this.#isAsking = false;
  }

  #wish(topic: string, name: string, wanted: boolean): Promise<boolean> {
    return new Promise((settle) => {
      (this.#wishes ??= []).push({ topic, name, wanted, settle });
      void this.#ask();
    });
  }

  async #watchLists(at: string): Promise<void> {
    const { store } = this.#session;
    try {
      if (store.entry("watch", at) === LISTS) return;
      const isKnown = await this.#wish(at, LISTS_NAME, true);
      if (!this.#session.isLive()) return;
      if (!isKnown) return this.#askLater();
      this.#againMs = AGAIN_MS;
      store.putEntry("watch", at, LISTS);
    } catch (error) {
      this.#failed(at, error);
    }
  }

  async #watchMissed(uris: readonly string[]): Promise<void> {
    const { store } = this.#session;
    const found = await Promise.all(uris.map((uri) => this.#wish(this.#topic, resourceName(uri), true)));
    const missed = (this.#missed ??= new Set());
    for (const [index, uri] of uris.entries()) {
      // Unsubscribed meanwhile, it is wanted no more.
      if (found[index] || !isSubscribed(store, uri)) missed.delete(uri);
      else missed.add(uri);
    }
    if (missed.size > 0 && this.#session.isLive()) this.#askLater();
  }

  #askLater(): void {
    this.#session.ringIn(this.#againMs);
    this.#againMs = Math.min(2 * this.#againMs, AGAIN_MOST_MS);
  }
}
