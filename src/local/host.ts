/**
 * The session host in one process: every session in one SQLite database, those in use in memory.
 * @module
 */
import type { ChangeHub } from "../changes.ts";
import type { Answer, Link, Refusal, SessionHost, SessionRef, Sessions } from "../host.ts";
import { messageOf, shortId } from "../events.ts";
import { type HoldfastOptions, resolveOptions } from "../options.ts";
import { createDelay } from "../session/delays.ts";
import { createInterest } from "../session/interest.ts";
import type { OpenOutlet, Successors } from "../session/ports.ts";
import type { SqlStore } from "../session/schema.ts";
import type { CreateServer } from "../session/server.ts";
import { createSession, type Session } from "../session/session.ts";
import { createSessionStore } from "../session/store.ts";
import { createAlarms } from "./alarms.ts";
import { createLocalHub } from "./changes.ts";
import { openDatabase } from "./database.ts";
import { createLink } from "./link.ts";
import { createResidents, type Resident } from "./residents.ts";
import { createSlots } from "./slots.ts";
import { createTurns } from "./turns.ts";

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
}

export interface LocalHost extends SessionHost {
  /** Number of sessions in memory now. */
  readonly inMemory: number;
  /** Carries changes to those who listen in this process, and to its sessions. */
  readonly hub: ChangeHub;
  readonly sessions: Sessions;
  /**
   * Ends all streams, with the hint to come back, answers calls in flight, and closes the database.
   * Takes two seconds at most.
   */
  close(): Promise<void>;
}

/** How long {@link LocalHost.close} waits for clients to be told. */
const CLOSE_MS = 2000;

const MEMORY_NOTICE = "Sessions are kept in memory and end with this process; set `database` to keep them";

/**
 * Makes the host.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @throws {DatabaseError} where the database file cannot be used
 */
export function localHost<Env = unknown>(options: LocalHostOptions<Env>): LocalHost {
  const { createServer, database, evictAfterMs = 60_000 } = options;
  const settings = resolveOptions(options);
  if (!Number.isInteger(evictAfterMs) || evictAfterMs < 10 || evictAfterMs > 86_400_000) {
    throw new RangeError(`evictAfterMs must be a whole number from 10 to 86400000, not ${evictAfterMs}`);
  }
  const sql = createTurns(openDatabase(database), (error) =>
    settings.emit("request.error", { method: "store", message: messageOf(error) }),
  );
  if (database === undefined) settings.emit("storage.memory", { message: MEMORY_NOTICE });
  const now = (): number => Date.now();
  const quick = createDelay(settings.quickAnswerMs);
  let closing: Promise<void> | undefined;
  let isClosed = false;
  /** Ends the wait of each request that is being answered. */
  const waiting = createSlots<(error: Error) => void>();

  /** Keys of sessions that are gone are used again by the next process only. */
  let lastKey = sql.exec<{ key: number | null }>("SELECT max(key) AS key FROM session")[0]?.key ?? 0;

  /** For what nobody waits for, so that its failure (a full disk) must end neither a connection nor the process. */
  const attempt = <T>(id: string, body: () => T): T | undefined => {
    try {
      return body();
    } catch (error) {
      settings.emit("send.error", { session: shortId(id), message: messageOf(error) });
      return undefined;
    }
  };

  const storedKeyOf = (id: string): number | undefined =>
    sql.exec<{ key: number }>("SELECT key FROM session WHERE id = ?", id)[0]?.key;
  /** A session in memory is not looked up for each of its calls. */
  const keyOf = (id: string): number | undefined => residents.keyOf(id) ?? storedKeyOf(id);

  const erase = (id: string, key: number): void => {
    sql.transaction(() => {
      for (const table of ["event", "stream", "entry", "alarm", "session"]) {
        sql.exec(`DELETE FROM ${table} WHERE key = ?`, key);
      }
    });
    residents.forget(id);
  };

  const successors: Successors = {
    async create(seed) {
      const id = randomId();
      await residents.load(id, ++lastKey).session.adopt(seed);
      return id;
    },
    isLive: async (id) => {
      const key = keyOf(id);
      return key !== undefined && residents.load(id, key).session.isLive();
    },
  };

  const create = (id: string, key: number, touch: () => void): Session => {
    const alarm = alarms.of(key);
    let isErased = false;
    // What a server does on its own uses the session too; once it is erased, nothing is written for it again.
    const used = (): void => {
      if (isErased) throw new Error("The session has ended");
      touch();
    };
    const own: SqlStore = {
      exec(statement, ...bindings) {
        used();
        return sql.exec(statement, ...bindings);
      },
      defer(statement, ...bindings) {
        used();
        sql.defer(statement, ...bindings);
      },
      transaction: (body) => sql.transaction(body),
    };
    return createSession<Env>({
      id,
      store: createSessionStore(own, key),
      settings,
      createServer,
      env: options.env as Env,
      alarm: {
        get: () => attempt(id, alarm.get),
        set: (at) => attempt(id, () => alarm.set(at)),
        clear: () => attempt(id, alarm.clear),
      },
      successors,
      interest: (session) => createInterest(hub.changes, session),
      quick,
      async erase() {
        isErased = true;
        erase(id, key);
      },
      now,
    });
  };

  const residents = createResidents(now, evictAfterMs, create);
  const alarms = createAlarms(sql, now, async (id, key) => {
    const wasResident = residents.keyOf(id) !== undefined;
    const resident = residents.load(id, key);
    const release = residents.hold(resident);
    await resident.session.alarm().finally(release);
    if (!wasResident) residents.evict(id);
  });

  /** Runs `body` with the session in memory; rejects where the host closes before it is done. */
  const use = <T>(id: string, key: number, body: (resident: Resident) => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      if (closing !== undefined) throw new Error("The host is closed");
      const resident = residents.load(id, key);
      const release = residents.hold(resident);
      const settled = (): void => {
        waiting.take(slot);
        release();
      };
      const slot = waiting.add(reject);
      void body(resident).finally(settled).then(resolve, reject);
    });

  /** Asks the session for a reply that may be a stream; `onLeave` hears of the stream's end. */
  const replyOf = async <R extends { kind: string }>(
    id: string,
    resident: Resident,
    connectionId: () => string,
    onLeave: (stream: number, seq: number) => void,
    ask: (open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
  ): Promise<R | { kind: "stream"; link: Link }> => {
    let link: Link | undefined;
    const open: OpenOutlet = (stream) => {
      const release = residents.hold(resident);
      const ends = createLink(connectionId(), now(), {
        settled: sql.settled,
        onAck(seq) {
          if (!isClosed) resident.session.ack(stream, connectionId(), seq);
        },
        onClose(seq) {
          if (!isClosed) attempt(id, () => onLeave(stream, seq));
          release();
        },
      });
      link = ends.link;
      return ends.outlet;
    };
    try {
      const reply = await ask(open);
      if (reply.kind !== "streaming") return reply as R;
      if (link === undefined) throw new Error("the session streams on no link");
      return { kind: "stream", link };
    } catch (error) {
      link?.close("lost", 0);
      throw error;
    }
  };

  const hub = createLocalHub(
    sql,
    (id, key, change) => {
      use(id, key, ({ session }) => session.notify([change])).catch(() => {
        // The host is closing: the session's client comes back to a process that knows nothing of this.
      });
    },
    (error) => settings.emit("request.error", { method: "publish", message: messageOf(error) }),
  );

  const refTo = (id: string, key: number): SessionRef => ({
    id,
    post: (call) =>
      use(id, key, (resident) => {
        const { session } = resident;
        const { connectionId } = call;
        // As between isolates: the end of a POST's connection does not tell what its client has read.
        const onLeave = (stream: number): void => session.leave(stream, connectionId());
        return replyOf<Exclude<Answer, { kind: "stream" }>>(
          id,
          resident,
          connectionId,
          onLeave,
          async (open) => {
            const reply = await session.post(call, open);
            if (call.opens && storedKeyOf(id) === undefined) {
              // A server that refused to be initialised leaves no session, nor what its factory may have stored.
              erase(id, key);
              if (session.isLive()) throw new Error("the session could not be stored");
            }
            return reply;
          },
        );
      }),
    attach: (request) =>
      use(id, key, (resident) => {
        const { session } = resident;
        const { connectionId } = request;
        const onLeave = (stream: number, seq: number): void => session.leave(stream, connectionId, seq);
        return replyOf<Refusal>(
          id,
          resident,
          () => connectionId,
          onLeave,
          (open) => session.attach(request, open),
        );
      }),
    end: (caller) => use(id, key, ({ session }) => session.end(caller)),
  });

  const sessions: Sessions = {
    async end(id) {
      const key = keyOf(id);
      return key !== undefined && use(id, key, ({ session }) => session.terminate());
    },
    async endAll(principal) {
      const ids = sql.exec<{ id: string }>("SELECT id FROM session WHERE principal = ?", principal);
      const ended = await Promise.all(ids.map(({ id }) => sessions.end(id)));
      return ended.filter((wasThere) => wasThere).length;
    },
  };

  const close = async (): Promise<void> => {
    residents.shutdown();
    await residents.settled(CLOSE_MS);
    alarms.stop();
    isClosed = true;
    for (const reject of waiting.items()) reject(new Error("The host is closed"));
    sql.close();
  };

  return {
    get inMemory() {
      return residents.size;
    },
    hub,
    sessions,
    find(id) {
      // While the process ends nobody can say that a session is gone; its calls are turned away.
      const key = closing === undefined ? keyOf(id) : 0;
      return key === undefined ? undefined : refTo(id, key);
    },
    mint: () => refTo(randomId(), ++lastKey),
    close: () => (closing ??= close()),
  };
}

/** 32 random bytes: nobody guesses one. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
