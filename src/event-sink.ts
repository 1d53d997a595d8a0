/**
 * Where events go: to the user's hook, or to the log. A hook that throws changes nothing but its own line in the log.
 * @module
 */
import { type EventFields, type EventSink, type HoldfastEvent, levelOf, type LogLevel } from "./events.ts";
import { guard } from "./guard.ts";
import { messageOf } from "./log-text.ts";

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

/** The sink for a user's hook, or, without one, a logger of one JSON line an event from `least` up. */
export function eventSink(
  hook: ((event: HoldfastEvent) => unknown) | undefined,
  least: LogLevel,
  line: (event: HoldfastEvent) => string = JSON.stringify,
): EventSink {
  const isHeard = (level: LogLevel): boolean => RANK[level] >= RANK[least];
  const write = (event: HoldfastEvent): void => console[event.level](line(event));
  const hears = (type: keyof EventFields): boolean => hook !== undefined || isHeard(levelOf(type));
  const emit = (type: keyof EventFields, fields: object | (() => object)): void => {
    if (!hears(type)) return;
    const given = typeof fields === "function" ? (fields as () => object)() : fields;
    const event = { type, level: levelOf(type), time: Date.now(), ...given } as unknown as HoldfastEvent;
    if (hook === undefined) return write(event);
    guard(
      () => hook(event),
      (error) => {
        // Not to the hook that has just failed: to the log.
        if (!isHeard("warn")) return;
        const stack = error instanceof Error ? error.stack : undefined;
        const failed = { hook: "onEvent", message: messageOf(error), stack };
        write({ type: "hook.error", level: "warn", time: Date.now(), ...failed });
      },
    );
  };
  return Object.assign(emit, { hears });
}
