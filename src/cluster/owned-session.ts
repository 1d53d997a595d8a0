/** One session as this process has it: whatever it writes, or tells anybody, goes through the gate. @module */
import type { Settings } from "../options.ts";
import type { Delay } from "../session/calls/delays.ts";
import type { Session } from "../session/contract.ts";
import { createInterest, type SessionChanges } from "../session/interest.ts";
import type { SessionOptions } from "../session/ports.ts";
import type { CreateServer } from "../session/server/factory.ts";
import { createSession } from "../session/session.ts";
import type { SqlStore } from "../session/store/schema.ts";
import { createSessionStore } from "../session/store/store.ts";
import { createOwnStore } from "../local/own-store.ts";
import type { Alarms } from "../local/alarms.ts";
import type { SessionLogs } from "../sessions.ts";
import type { UserChannel } from "../user/state.ts";
import type { Gate } from "./gate.ts";
import type { Owned } from "./owned.ts";

/** What all sessions of a tenure share. */
export interface Shared<Env> extends Pick<
  SessionOptions<Env>,
  "successors" | "keep" | "onTombstone" | "onRevive" | "now"
> {
  readonly settings: Settings;
  /** See `SessionHost.keepLogs`. */
  readonly logs: () => SessionLogs | undefined;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  readonly quick: Delay;
  readonly gate: Gate;
  readonly sql: SqlStore;
  readonly alarms: Alarms;
  readonly changes: SessionChanges;
  readonly userChannel: (name: string) => UserChannel;
  /** Runs what nobody waits for. */
  readonly attempt: <T>(id: string, body: () => T) => T | undefined;
  /** Hears of what could not be read or written. */
  readonly failedToStore: (error: unknown) => void;
  /** Removes all that the session has stored. */
  readonly erase: (owned: Owned) => void;
  /** It has left memory. */
  readonly onShutdown: (owned: Owned) => void;
}

/** Edges see their links break, and dial at once; this is many times that. */
const REDIAL_MS = 1000;

/** The working copy as one session writes to it: whatever is no query waits at the gate. */
export function writingTo(sql: SqlStore, gate: Gate, key: number): Required<SqlStore> {
  const exec: SqlStore["exec"] = (statement, ...bindings) => {
    if (!statement.startsWith("SELECT")) gate.wrote(key);
    return sql.exec(statement, ...bindings);
  };
  return { exec, defer: exec, transaction: (body) => sql.transaction(body) };
}

/** What a tool tells others follows from what it has written before. */
export function usersAfter(
  gate: Gate,
  key: number,
  userChannel: (name: string) => UserChannel,
): (name: string) => UserChannel {
  return (name) => async (request) => {
    await gate.stored(key);
    return userChannel(name)(request);
  };
}

/** @param touch hears of all that the session does */
export function createOwnedSession<Env>(shared: Shared<Env>, owned: Owned, touch: () => void): Session {
  const { gate, changes, attempt } = shared;
  const { id, key } = owned;
  const own = createOwnStore(writingTo(shared.sql, gate, key), touch, shared.failedToStore);
  const alarm = shared.alarms.of(key);
  return createSession<Env>({
    ...shared,
    logs: shared.logs(),
    id,
    store: createSessionStore(own, key),
    alarm: {
      get: () => attempt(id, () => alarm.get()),
      set(at) {
        gate.wrote(key);
        attempt(id, () => alarm.set(at));
      },
      clear() {
        gate.wrote(key);
        attempt(id, () => alarm.clear());
      },
    },
    interest: (interested) =>
      createInterest(
        {
          publish: (topic, change) => gate.settled(key, () => changes.publish(topic, change)),
          watch: changes.watch,
          forget: changes.forget,
        },
        interested,
      ),
    userChannel: usersAfter(gate, key, shared.userChannel),
    redialMs: REDIAL_MS,
    async erase() {
      own.end();
      shared.erase(owned);
    },
    onShutdown: () => shared.onShutdown(owned),
  });
}
