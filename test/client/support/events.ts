/** Collects recovery events, and waits for them. @module */
import type { RecoveryEvent } from "../../../src/client/index.ts";
import { within } from "../../support/wait.ts";

export interface EventLog {
  readonly all: RecoveryEvent[];
  readonly onEvent: (event: RecoveryEvent) => void;
  of<Type extends RecoveryEvent["type"]>(type: Type): Extract<RecoveryEvent, { type: Type }>[];
  /** The event of this type with this number, 1 being the first; waits until it is there. */
  nth<Type extends RecoveryEvent["type"]>(
    type: Type,
    n?: number,
  ): Promise<Extract<RecoveryEvent, { type: Type }>>;
}

export function logEvents(): EventLog {
  const all: RecoveryEvent[] = [];
  const waiting = new Set<() => void>();
  const log: EventLog = {
    all,
    onEvent(event) {
      all.push(event);
      for (const look of waiting) look();
    },
    of: (type) => all.filter((event) => event.type === type) as never,
    nth: (type, n = 1) => {
      const found = new Promise<never>((resolve) => {
        const look = (): void => {
          const event = log.of(type)[n - 1];
          if (event === undefined) return;
          waiting.delete(look);
          resolve(event as never);
        };
        waiting.add(look);
        look();
      });
      return within(found, `event ${type} number ${n}`);
    },
  };
  return log;
}
