/**
 * The hub over processes: what is published in one is heard in all, and by the sessions that want to hear of it, whoever
 * has them, awake or not. Each process and each session hears in the order of publication; one that cannot be reached is
 * told again until it can, or is nobody's any more.
 * @module
 */
import { type Change, type ChangeHub, createMemoryHub } from "../changes.ts";
import type { EventSink } from "../events.ts";
import { messageOf } from "../log-text.ts";
import { LISTS, type SessionChanges } from "../session/interest.ts";
import { subscriptionName } from "../session/server/journal.ts";
import { pkOf } from "./copy.ts";
import type { Engine, NodeRow } from "./engine.ts";
import { Refused } from "./peers.ts";
import { NotHere } from "./owned.ts";

/** The hub of all processes, as this one has it. */
export interface ClusterHub extends ChangeHub {
  /** The hub as a session sees it. What a session wants to hear is in its own entries. */
  readonly changes: SessionChanges;
  /** Tells the other processes; rejects where one that is alive may not have heard of it. */
  announce(topic: string, change: Change): Promise<void>;
  /** Tells those who listen in this process. */
  tellHere(topic: string, changes: readonly Change[]): void;
}

/** How others are reached. */
export interface HubOptions {
  readonly engine: Pick<Engine, "members" | "watchers">;
  readonly emit: EventSink;
  /** True for this process itself. */
  readonly isSelf: (node: NodeRow) => boolean;
  readonly publish: (to: NodeRow, topic: string, changes: readonly Change[]) => Promise<void>;
  readonly notify: (session: string, topic: string, changes: readonly Change[]) => Promise<void>;
}

/** Pauses before each attempt to tell again: longer in all than a lease. */
const AGAIN_MS = [0, 100, 200, 400, 800, 1600, 3200, 6400];
/** Most that are being told at once, of one change after the other: beyond it changes are dropped, and that is said. */
const MOST_TELLING = 50_000;

/** Nobody listens yet. */
export function createClusterHub(options: HubOptions): ClusterHub {
  const { engine, emit } = options;
  const failed = (error: unknown): void =>
    emit("request.error", { method: "publish", message: messageOf(error) });
  const memory = createMemoryHub(failed);
  /** The last of what is to be told to each: the next waits for it. */
  const told = new Map<string, Promise<void>>();
  let telling = 0;
  /** Changes are sent out one after the other. */
  let publishing: Promise<void> = Promise.resolve();

  const insist = async (topic: string, tell: () => Promise<void>): Promise<void> => {
    let last: unknown;
    for (const pause of AGAIN_MS) {
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      try {
        return await tell();
      } catch (error) {
        last = error;
      }
    }
    emit("listen.publish_failed", { topic, changes: 1, message: messageOf(last) });
  };

  const inTurn = (name: string, topic: string, tell: () => Promise<void>): void => {
    if (telling >= MOST_TELLING) {
      return emit("listen.publish_failed", { topic, changes: 1, message: "too many are being told already" });
    }
    telling += 1;
    const after = (told.get(name) ?? Promise.resolve())
      .then(() => insist(topic, tell))
      .finally(() => {
        telling -= 1;
        if (told.get(name) === after) told.delete(name);
      });
    told.set(name, after);
  };

  const tellNode = async (node: NodeRow, topic: string, change: Change): Promise<void> => {
    try {
      await options.publish(node, topic, [change]);
    } catch (error) {
      // Gone: so is whoever listened there.
      if (!(error instanceof Refused || error instanceof NotHere)) throw error;
    }
  };

  const send = async (topic: string, change: Change): Promise<void> => {
    const pk = pkOf(["watch", topic]);
    const [members, sessions] = await Promise.all([
      engine.members(),
      change.kind === "resource_updated"
        ? engine.watchers(pk, undefined, pkOf(["sticky", subscriptionName(change.uri)]))
        : engine.watchers(pk, JSON.stringify({ kind: "watch", name: topic, value: LISTS }), undefined),
    ]);
    for (const node of members) {
      if (options.isSelf(node)) continue;
      inTurn(node.id, topic, () => tellNode(node, topic, change));
    }
    for (const session of sessions) inTurn(session, topic, () => options.notify(session, topic, [change]));
  };

  const publish = (topic: string, change: Change): void => {
    memory.bus(topic).publish(change);
    publishing = publishing.then(() => insist(topic, () => send(topic, change)));
  };

  return {
    bus: (topic) => ({
      publish: (change) => publish(topic, change),
      subscribe: (listener) => memory.bus(topic).subscribe(listener),
    }),
    changes: { publish, watch: () => Promise.resolve(), forget() {} },
    async announce(topic, change) {
      const others = (await engine.members()).filter((node) => !options.isSelf(node));
      await Promise.all(others.map((node) => tellNode(node, topic, change)));
    },
    tellHere(topic, changes) {
      for (const change of changes) memory.bus(topic).publish(change);
    },
  };
}
