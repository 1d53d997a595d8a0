/**
 * What a process looks after every now and then: who is alive, whose alarms nobody rings, how many sessions there are,
 * and what nobody needs any more.
 * @module
 */
import { letExit } from "../local/ringer.ts";
import { SCHEMA_VERSION } from "../session/store/schema.ts";
import type { Census } from "./census.ts";
import type { Engine } from "./engine.ts";
import type { Peers } from "./peers.ts";
import type { Places } from "./places.ts";
import type { Tenure } from "./tenure.ts";

/** What is looked after. */
export interface RoundsOptions {
  readonly engine: Engine;
  readonly places: Places;
  readonly peers: Peers;
  readonly census: Census;
  readonly leaseMs: number;
  /** True where there are guests, whose alarms this process can ring. */
  readonly hasGuests: boolean;
  /** Undefined while this process has yet to join the others again: then there is nothing to look after. */
  readonly tenure: () => Tenure | undefined;
}

/** One process's rounds. */
export interface Rounds {
  /** One round. Rejects where the database cannot be asked. */
  look(): Promise<void>;
  /** One round after another, until {@link Rounds.stop}. */
  start(): void;
  stop(): void;
}

const LOOK_MOST_MS = 2000;
/** Most sessions that are taken for their alarms in one round. */
const DUE = 50;
/** Rounds between two counts of all sessions, and between two sweeps. */
const COUNT_EVERY = 5;
const SWEEP_EVERY = 500;

/** None is made before it is asked for. */
export function createRounds(options: RoundsOptions): Rounds {
  const { engine, places, peers, census, leaseMs, hasGuests, tenure } = options;
  const what = { schema: SCHEMA_VERSION, guests: hasGuests, limit: DUE };
  let rounds = 0;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Takes sessions that nobody has and whose alarm is due: they ring here, and are let go of again. */
  const takeDue = async (at: Tenure): Promise<void> => {
    if (!at.gate.isHeld()) return;
    for (const id of await engine.due(at.node, what)) await takeUp(at, id);
  };

  /** Takes up what is this process's by now, in the database. */
  const takeUp = async (at: Tenure, id: string): Promise<void> => {
    while (at === tenure() && at.owned(id) === undefined) {
      const { departures } = at;
      const loaded = await engine.load(id, at.node);
      if (loaded === undefined) return;
      // It may have been let go of meanwhile, and be another's. If not, nobody else rings it: it is looked at again at once.
      if (departures !== at.departures) continue;
      const owned = at.take(id, loaded);
      // What is only an id that somebody took has no alarm to ring.
      if (loaded.rows.length === 0) at.evict(owned);
    }
  };

  const look = async (): Promise<void> => {
    const at = tenure();
    if (at === undefined) return;
    await places.look(at);
    for (const node of peers.linked()) if (!places.isAlive(node)) peers.lose(node);
    // One that was killed and is there again: should it be killed once more, nobody need wait for its lease.
    for (const node of places.doubted()) {
      void peers.publish(node, "", []).then(
        () => places.reached(node),
        () => {},
      );
    }
    await takeDue(at);
    if (rounds % COUNT_EVERY === 0) await census.refresh();
    if (rounds % SWEEP_EVERY === 1) await engine.sweep();
    rounds += 1;
  };

  const start = (): void => {
    if (isStopped) return;
    timer = setTimeout(
      () => {
        // Whatever could not be asked is asked again: what is unreachable has been told where something waits for it.
        void look()
          .catch(() => {})
          .finally(start);
      },
      Math.min(LOOK_MOST_MS, leaseMs / 3),
    );
    letExit(timer);
  };

  return {
    look,
    start,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
