/** The guests of a tenure: in memory while something of them is under way, and through the gate like all else. @module */
import type { ChangeBus } from "../changes.ts";
import type { GuestKind } from "../guest.ts";
import { createGuests, type LocalGuests } from "../local/guests.ts";
import type { WorkingCopy } from "./copy.ts";
import type { Engine } from "./engine.ts";
import type { Gate } from "./gate.ts";
import type { ServedWith } from "./loaded.ts";
import { NotHere, type Owned, type OwnedSessions } from "./owned.ts";
import { usersAfter, writingTo } from "./owned-session.ts";

/** The tenure around the guests. */
export interface TenureGuestsOptions<Env> extends Pick<
  ServedWith<Env>,
  "settings" | "env" | "userChannel" | "background"
> {
  /** Undefined where there are none. */
  readonly guest: GuestKind | undefined;
  readonly engine: Pick<Engine, "countGuests">;
  readonly bus: (topic: string) => ChangeBus;
  readonly copy: WorkingCopy;
  readonly mine: OwnedSessions;
  readonly gate: Gate;
  readonly now: () => number;
  readonly isOver: () => boolean;
  /** One has left memory. */
  readonly onLeft: (owned: Owned) => void;
}

/** None is in memory yet. */
export function createTenureGuests<Env>(options: TenureGuestsOptions<Env>): LocalGuests {
  const { guest, engine, bus, copy, mine, gate, now, isOver } = options;
  return createGuests({
    kind: guest,
    sql: copy.sql,
    env: options.env,
    settings: options.settings,
    waitUntil: options.background.waitUntil,
    newId() {
      throw new Error("ids of a cluster are sealed elsewhere");
    },
    now,
    placeOf(id) {
      const owned = mine.of(id);
      if (isOver() || owned === undefined || owned.leaving !== undefined) throw new NotHere();
      const { key } = owned;
      return {
        sql: writingTo(copy.sql, gate, key),
        // Who hears of a change may come and ask: it must be there then.
        bus: (topic) => ({
          publish: (change) => gate.settled(key, () => bus(topic).publish(change)),
          subscribe: (listener) => bus(topic).subscribe(listener),
        }),
        userChannel: usersAfter(gate, key, options.userChannel),
        count: (principal) => engine.countGuests(principal),
      };
    },
    onLeft(id) {
      const owned = mine.of(id);
      if (owned !== undefined) options.onLeft(owned);
    },
  });
}
