/**
 * The hub within one process: those who listen hear at once, and sessions that want to hear of a change
 * are found in the database, whether they are in memory or not.
 * @module
 */
import { type Change, type ChangeHub, createMemoryHub } from "../changes.ts";
import { LISTS, type SessionChanges } from "../session/interest.ts";
import { subscriptionName } from "../session/server/journal.ts";
import type { SqlStore } from "../session/store/schema.ts";

/** The hub, with its sessions' side. */
export interface LocalHub extends ChangeHub {
  /** The hub as a session sees it. What a session wants to hear is in its own entries. */
  readonly changes: SessionChanges;
}

/** A session that is to hear of a change. */
interface Due {
  readonly id: string;
  readonly key: number;
  readonly change: Change;
}

/** Sessions that are told before others get a turn. */
const BATCH = 50;

/**
 * @param tell hands a change to a session
 * @param onError hears of listeners that throw
 */
export function createLocalHub(
  sql: SqlStore,
  tell: (id: string, key: number, change: Change) => Promise<void>,
  onError: (error: unknown) => void,
): LocalHub {
  const memory = createMemoryHub(onError);
  const due: Due[] = [];
  let isTelling = false;

  /** Sessions that watch the topic, for the resource or for the lists. */
  const watchers = (topic: string, change: Change): { id: string; key: number }[] => {
    if (change.kind === "signal") return [];
    const watching = `SELECT session.id, session.key FROM session
      JOIN entry AS watch ON watch.key = session.key AND watch.kind = 'watch' AND watch.name = ?`;
    return change.kind === "resource_updated"
      ? sql.exec(
          `${watching} JOIN entry AS sticky ON sticky.key = session.key AND sticky.kind = 'sticky' AND sticky.name = ?`,
          topic,
          subscriptionName(change.uri),
        )
      : sql.exec(`${watching} AND watch.value = ?`, topic, LISTS);
  };

  /** One session after the other, so that a change that many want to hear does not bring them all into memory at once. */
  const tellAll = async (): Promise<void> => {
    if (isTelling) return;
    isTelling = true;
    while (due.length > 0) {
      for (const { id, key, change } of due.splice(0, BATCH)) await tell(id, key, change).catch(onError);
      if (due.length > 0) await new Promise((resolve) => setTimeout(resolve));
    }
    isTelling = false;
  };

  const publish = (topic: string, change: Change): void => {
    memory.bus(topic).publish(change);
    // Not within what the publisher is doing: it may be in the middle of a transaction.
    queueMicrotask(() => {
      try {
        for (const { id, key } of watchers(topic, change)) due.push({ id, key, change });
        void tellAll();
      } catch (error) {
        onError(error);
      }
    });
  };

  return {
    bus: (topic) => ({
      publish: (change) => publish(topic, change),
      subscribe: (listener) => memory.bus(topic).subscribe(listener),
    }),
    changes: { publish, watch: () => Promise.resolve(), forget() {} },
  };
}
