/**
 * The session host in one process: every session in one SQLite database, those in use in memory.
 * @module
 */
import { CLOSE_WORK_MS, createBackground } from "../background.ts";
import type { ChangeHub } from "../changes.ts";
import { createEndings } from "../endings.ts";
import type { GuestKind } from "../guest.ts";
import type { Answer, Attach, Attached, Call, Refusal, SessionHost, SessionRef } from "../host.ts";
import { messageOf } from "../log-text.ts";
import { createLimitNotice } from "../limits.ts";
import { type HoldfastOptions, OPTIONS, resolveOptions } from "../options.ts";
import { createInterest } from "../session/interest.ts";
import type { CreateServer } from "../session/server/factory.ts";
import { ANYTHING, checkGiven, FUNCTION, type Kind, SetupError, STRING, needed } from "../setup.ts";
import type { SessionLogs, Sessions } from "../sessions.ts";
import type { UserChannel } from "../user/state.ts";
import { answerUserRequest } from "../user/store.ts";
import { createCensus } from "./census.ts";
import { createLocalHub } from "./changes.ts";
import { openDatabase } from "./database.ts";
import { createGuests } from "./guests.ts";
import { createLoaded, randomId } from "./loaded.ts";
import { createFileLook } from "./lost-file.ts";
import { createRoom } from "./room.ts";
import { createPlaces } from "./places.ts";
import { createReplies } from "./replies.ts";
import { localSessions } from "./sessions.ts";
import { createSharedLimit } from "./shared-limit.ts";
import { createTurns } from "./turns.ts";

/** What the host serves, and where it keeps it. */
export interface LocalHostOptions<Env = unknown> extends HoldfastOptions {
  /** Builds the MCP server of one session. */
  createServer: CreateServer<Env>;
  /** What `createServer` gets as `env`: secrets, connections, whatever all servers share. */
  env?: Env;
  /** Path of the database file. Without it sessions are kept in memory and end with the process. */
  database?: string;
  /**
   * A session with no open stream and no call in flight leaves memory after this long; its next request
   * takes it up again, with a new server. A whole number from 10 to 86400000, 60000 by default.
   */
  evictAfterMs?: number;
  /** What lives here besides sessions: that of `modern`. */
  guest?: GuestKind | undefined;
}

/** A host in one process, and what its owner can ask of it. */
export interface LocalHost extends SessionHost {
  /** Number of sessions in memory now. */
  readonly inMemory: number;
  /** Carries changes to those who listen in this process, and to its sessions. */
  readonly hub: ChangeHub;
  readonly sessions: Sessions;
  /**
   * Ends all streams, with the hint to come back, answers calls in flight, and closes the database.
   * Takes two seconds at most, or five while work of `context.waitUntil` goes on.
   */
  close(): Promise<void>;
}

/** What is the host's own among its options, each with what it must be. */
export const HOST_OPTIONS: Required<{
  [Name in Exclude<keyof LocalHostOptions, keyof HoldfastOptions>]: Kind;
}> = {
  createServer: needed(FUNCTION),
  env: ANYTHING,
  database: STRING,
  evictAfterMs: ANYTHING,
  guest: ANYTHING,
};

/** How long {@link LocalHost.close} waits for clients to be told. */
const CLOSE_MS = 2000;

const MEMORY_NOTICE = "Sessions are kept in memory and end with this process; set `database` to keep them";

/**
 * Makes the host.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @throws {DatabaseError} where the database file cannot be used
 */
export function localHost<Env = unknown>(options: LocalHostOptions<Env>): LocalHost {
  checkGiven("localHost", options, { ...OPTIONS, ...HOST_OPTIONS });
  return createLocalHost(options);
}

/** What a host is made with, besides its options. */
interface Making {
  /** Told first: variables that look like settings and are none. */
  readonly warnings?: readonly string[];
  /** The time in milliseconds. */
  readonly now?: () => number;
}

/** A host whose clock can be moved. */
export interface ClockedHost extends LocalHost {
  /** The clock was moved: does what is due by now. Resolves when it is done. */
  catchUp(): Promise<void>;
}

/** The same for options that are known to be the right ones. */
export function createLocalHost<Env>(
  options: LocalHostOptions<Env>,
  { warnings = [], now = () => Date.now() }: Making = {},
): ClockedHost {
  const { createServer, database, evictAfterMs = 60_000 } = options;
  const settings = resolveOptions(options);
  if (!Number.isInteger(evictAfterMs) || evictAfterMs < 10 || evictAfterMs > 86_400_000) {
    throw new RangeError(
      `evictAfterMs must be a whole number from 10 to 86400000, not ${String(evictAfterMs)}`,
    );
  }
  for (const message of warnings) settings.emit("setup.unknown_variable", { message });
  const sqlite = openDatabase(database);
  /** The error itself does not say which file: tools hear it, and through them clients. */
  const failedToStore = (error: unknown): void =>
    settings.emit("request.error", {
      method: "store",
      message: `${messageOf(error)} [${database ?? "in memory"}]`,
    });
  const sql = createTurns(sqlite, failedToStore);
  if (database === undefined) settings.emit("storage.memory", { message: MEMORY_NOTICE });
  let closing: Promise<void> | undefined;
  let logs: SessionLogs | undefined;
  let isClosed = false;
  /** What goes on in all sessions, in what belongs to none, and in guests. */
  const background = createBackground(settings.emit, { now });
  const lookForFile = createFileLook(sqlite, settings.emit, now);
  const room = createRoom(settings.maxResidents);
  const tellLimit = createLimitNotice(settings.emit, now);
  const census = createCensus(sql, settings, tellLimit);
  const endings = createEndings();
  const storedKeyOf = (id: string): number | undefined =>
    sql.exec<{ key: number }>("SELECT key FROM session WHERE id = ?", id)[0]?.key;
  const places = createPlaces(census, (id) => !isClosed && storedKeyOf(id) !== undefined);

  const userChannel =
    (name: string): UserChannel =>
    async (request) =>
      answerUserRequest(sql, request, { owner: name, maxBytes: settings.maxUserStateBytes });

  const loaded = createLoaded<Env>({
    settings,
    createServer,
    env: options.env as Env,
    sql,
    room,
    evictAfterMs,
    census,
    places,
    background,
    tellLimit,
    failedToStore,
    storedKeyOf,
    logs: () => logs,
    isClosing: () => closing !== undefined,
    interest: (session) => createInterest(hub.changes, session),
    userChannel,
    now,
  });
  const { residents, alarms, keyOf, newKey, visit, use } = loaded;

  const replyOf = createReplies({
    residents,
    now,
    settled: sql.settled,
    isClosed: () => isClosed,
    attempt: (id, body) => void loaded.attempt(id, body),
  });

  const hub = createLocalHub(
    sql,
    async (id, key, change) => {
      // While the host closes: the session's client comes back to a process that knows nothing of this.
      if (closing === undefined) await visit(id, key, ({ session }) => session.notify([change]));
    },
    (error) => settings.emit("request.error", { method: "publish", message: messageOf(error) }),
  );

  const guests = createGuests({
    kind: options.guest,
    sql,
    env: options.env as Env,
    settings,
    waitUntil: background.waitUntil,
    newId() {
      lookForFile();
      return randomId();
    },
    placeOf: () => ({ sql, bus: hub.bus, userChannel }),
    now,
  });

  const post = (id: string, key: number, call: Call): Promise<Answer> =>
    use(id, key, (resident) => {
      const { session } = resident;
      return replyOf<Exclude<Answer, { kind: "stream" }>>(resident, call, async (open) => {
        const reply = await session.post(call, open);
        // Others may be opening it by the same key, and have yet to store it.
        const isLast = !places.isShared(id);
        if ((call.opens || call.keyed !== undefined) && isLast && storedKeyOf(id) === undefined) {
          // A server that refused to be initialised leaves no session, nor what its factory may have stored.
          loaded.erase(id, key);
          if (session.isLive()) throw new Error("the session could not be stored");
        }
        return reply;
      });
    });

  const attach = (id: string, key: number, request: Attach): Promise<Attached> =>
    use(id, key, (resident) =>
      replyOf<Refusal>(resident, request, (open) => resident.session.attach(request, open)),
    );

  /** Does what is asked, in a place for the session where it may come to be by it. */
  const placed = <T>(id: string, asked: Call | Attach, body: () => Promise<T>): Promise<T | Refusal> => {
    const { opens, keyed, caller } = asked;
    const mayOpen = opens || (keyed !== undefined && (places.has(id) || storedKeyOf(id) === undefined));
    if (!mayOpen) return body();
    lookForFile();
    return places.opening(id, caller.principal ?? null, body);
  };

  const refTo = (id: string, key: number): SessionRef => ({
    id,
    post: (call) => placed(id, call, () => post(id, key, call)),
    attach: (request) => placed(id, request, () => attach(id, key, request)),
    end: (caller) => use(id, key, ({ session }) => session.end(caller)),
  });

  const sessions = localSessions({
    sql,
    endings,
    keyOf,
    now,
    alarmOf: (key) => alarms.of(key).get(),
    peek: residents.peek,
    terminate: (id, key) => visit(id, key, ({ session }) => session.terminate()),
    isClosing: () => closing !== undefined,
    logs: () => logs,
  });

  const close = async (): Promise<void> => {
    guests.close();
    residents.shutdown();
    await Promise.all([residents.settled(CLOSE_MS), background.settled(CLOSE_WORK_MS)]);
    alarms.stop();
    isClosed = true;
    loaded.breakOff(new Error("The host is closed"));
    sql.close();
  };

  return {
    get inMemory() {
      return residents.size;
    },
    hub,
    sessions,
    endings,
    find(id) {
      // While the process ends nobody can say that a session is gone; its calls are turned away.
      const key = closing === undefined ? keyOf(id) : 0;
      return key === undefined ? undefined : refTo(id, key);
    },
    mint: () => refTo(randomId(), newKey()),
    user: userChannel,
    keep: background.waitUntil,
    limit: createSharedLimit,
    guests: () => guests,
    keepLogs: (given) => void (logs ??= given),
    look() {
      if (closing !== undefined) throw new SetupError("the server is shutting down");
      if (!sqlite.isInPlace()) throw new SetupError("the database file is gone");
    },
    named: (name) => refTo(name, keyOf(name) ?? newKey()),
    async catchUp() {
      await alarms.catchUp();
      await guests.catchUp();
      residents.sweep();
    },
    close: () => (closing ??= close()),
  };
}
