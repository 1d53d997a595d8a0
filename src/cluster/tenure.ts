/**
 * What one process has while one lease of its lasts: its sessions, their working copy, their alarms, and the gate
 * through which all that follows from them leaves. When the lease is lost nothing of it leaves any more: the process
 * lets go of the whole, and begins another tenure as another node.
 * @module
 */
import { type Background, CLOSE_WORK_MS } from "../background.ts";
import type { Answer, Attach, Call, Caller, Refusal } from "../host.ts";
import type { Change } from "../changes.ts";
import { messageOf, shortId } from "../events.ts";
import * as failures from "../jsonrpc/failures.ts";
import { createAlarms } from "../local/alarms.ts";
import type { Room } from "../local/memory.ts";
import { createResidents, type Resident } from "../local/residents.ts";
import { createSlots } from "../local/slots.ts";
import type { Settings } from "../options.ts";
import type { Delay } from "../session/calls/delays.ts";
import type { Session } from "../session/contract.ts";
import { inspect } from "../session/inspect.ts";
import type { SessionChanges } from "../session/interest.ts";
import type { Successors } from "../session/ports.ts";
import type { CreateServer } from "../session/server/factory.ts";
import { createSessionStore } from "../session/store/store.ts";
import type { SessionDetail } from "../sessions.ts";
import { formatEventId } from "../sse/event-id.ts";
import type { UserChannel } from "../user/state.ts";
import { within } from "../within.ts";
import type { Census } from "./census.ts";
import type { Clock, Mark } from "./clock.ts";
import { openCopy, VACANT } from "./copy.ts";
import type { Claimed, Engine } from "./engine.ts";
import { createGate, type Gate, type GateEnd, TenureOver } from "./gate.ts";
import type { OwnerLink } from "./link.ts";
import { createOwnedSessions, type Owned } from "./owned.ts";
import { createOwnedSession, type Shared, writingTo } from "./owned-session.ts";
import { createStreaming } from "./streaming.ts";

/** What a tenure is made of. */
export interface TenureOptions<Env> {
  /** The node's id. */
  readonly node: string;
  readonly since: Mark;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  readonly leaseMs: number;
  readonly evictAfterMs: number;
  readonly room: Room;
  readonly quick: Delay;
  readonly census: Census;
  readonly changes: SessionChanges;
  readonly userChannel: (name: string) => UserChannel;
  /** What goes on after its answer, in all of the process. */
  readonly background: Background;
  readonly mint: () => string;
  /** True where the session can be used, whoever has it. */
  readonly isLive: (id: string) => Promise<boolean>;
  /** The tenure is over: heard once, and not where {@link Tenure.close} ended it. */
  readonly onOver: (why: GateEnd) => void;
}

/** As `Attached`, of a session that is here. */
export type OwnerAttached = { readonly kind: "stream"; readonly link: OwnerLink } | Refusal;
/** As `Answer`, of a session that is here. */
export type OwnerAnswer = Exclude<Answer, { kind: "stream" }> | OwnerAttached;

/** One process's sessions, under one lease. */
export interface Tenure {
  readonly node: string;
  readonly gate: Gate;
  /** Sessions in memory. */
  readonly inMemory: number;
  /** Sessions that the process has, in memory or about to be let go of. */
  readonly size: number;
  /** See `OwnedSessions.departures`. */
  readonly departures: number;
  /** A session that the process has. One that is being let go of it has no more once `leaving` resolves. */
  owned(id: string): Owned | undefined;
  /** The process has taken this session, or this id where nothing is stored under it yet. */
  take(id: string, claimed: Claimed | undefined): Owned;
  /** @param isForwarded the edge is in another process */
  post(owned: Owned, call: Call, isForwarded: boolean): Promise<OwnerAnswer>;
  attach(owned: Owned, request: Attach, isForwarded: boolean): Promise<OwnerAttached>;
  end(owned: Owned, caller: Caller): Promise<{ readonly kind: "ended" } | Refusal>;
  terminate(owned: Owned): Promise<boolean>;
  notify(owned: Owned, changes: readonly Change[]): Promise<void>;
  isLive(owned: Owned): Promise<boolean>;
  /** The session as it is: looking uses nothing. */
  inspect(owned: Owned): Promise<SessionDetail | undefined>;
  /** Lets go of a session that nothing is under way in. */
  evict(owned: Owned): void;
  /** Ends all in order, stores what that leaves, and lets go of everything. At most `ms`. */
  close(ms: number): Promise<void>;
  /** Lets go of everything at once: it may be another's already. */
  abandon(): void;
}

/** What has to be stored for an answer is waited for so long; then nothing can be said of it. */
export const STORE_MS = 10_000;

const REFUSED_UNSTORED: Refusal = { kind: "refused", failure: failures.notStored };

/** Nothing is its own yet. The node has joined. */
export function createTenure<Env>(options: TenureOptions<Env>): Tenure {
  const { node, engine, clock, settings, census, leaseMs } = options;
  const { emit } = settings;
  const { now } = clock;
  const copy = openCopy();
  const mine = createOwnedSessions(copy, now);
  /** Ends the wait of each request that is being answered. */
  const waiting = createSlots<(error: Error) => void>();
  let isOver = false;
  let isClosing = false;

  const failedToStore = (error: unknown): void =>
    emit("request.error", { method: "store", message: messageOf(error) });

  const attempt = <T>(id: string, body: () => T): T | undefined => {
    try {
      return body();
    } catch (error) {
      emit("send.error", { session: shortId(id), message: messageOf(error) });
      return undefined;
    }
  };

  const gate = createGate({
    leaseMs,
    emit,
    since: options.since,
    collect: mine.collect,
    flush: (n, batch) => engine.flush({ node, n, leaseMs }, batch),
    onStored: mine.stored,
    onClock: clock.heard,
    onEnd(why) {
      emit("cluster.left", { node, reason: why === "lost" ? "lost" : "fenced", sessions: mine.size });
      tenure.abandon();
      options.onOver(why);
    },
  });

  const isStored = (key: number): boolean => copy.head(key).status !== VACANT;

  /** From here on the session is as good as any other's: only a request that is on its way already still finds it. */
  const release = (owned: Owned): void => {
    if (isOver || owned.leaving !== undefined || mine.of(owned.id) !== owned) return;
    if (owned.users > 0 || residents.keyOf(owned.id) !== undefined) return;
    mine.letGo(owned);
    // By the next flush but one, if the next holds something of the session.
    void gate
      .flush()
      .then(() => (mine.isStaying(owned) ? gate.flush() : undefined))
      .catch(() => {});
  };

  const erase = (owned: Owned): void => {
    const { id, key } = owned;
    const sql = writingTo(copy.sql, gate, key);
    sql.transaction(() => {
      for (const table of ["event", "stream", "entry", "alarm"]) {
        sql.exec(`DELETE FROM ${table} WHERE key = ?`, key);
      }
      const gone = sql.exec<{ status: string }>("DELETE FROM session WHERE key = ? RETURNING status", key);
      for (const { status } of gone) if (status !== "ended") census.left();
    });
    residents.forget(id);
    // Whoever is being answered may open it anew, under its key.
    queueMicrotask(() => release(owned));
  };

  const successors: Successors = {
    async create(seed) {
      const place = await census.enter(seed.principal);
      if ("status" in place) throw new Error(place.error.message);
      const owned = tenure.take(options.mint(), undefined);
      try {
        await visit(owned, ({ session }) => session.adopt(seed));
        await gate.stored(owned.key);
      } finally {
        place.entered(!isOver && isStored(owned.key));
      }
      return owned.id;
    },
    isLive: options.isLive,
  };

  const create = (_id: string, key: number, touch: () => void): Session =>
    createOwnedSession<Env>(shared, mine.withKey(key) as Owned, touch);

  const residents = createResidents({
    now,
    evictAfterMs: options.evictAfterMs,
    most: options.room,
    create,
    onError: (id, error) => emit("send.error", { session: shortId(id), message: messageOf(error) }),
  });

  /** Runs `body` with the session in memory, whether there is room or not; see `local/host.ts`. */
  const visit = async <T>(owned: Owned, body: (resident: Resident) => Promise<T>): Promise<T> => {
    if (isOver || owned.leaving !== undefined) throw new NotHere();
    const wasResident = residents.keyOf(owned.id) !== undefined;
    const resident = residents.load(owned.id, owned.key);
    const leave = residents.hold(resident);
    try {
      return await body(resident);
    } finally {
      leave();
      if (!wasResident) residents.evict(owned.id);
    }
  };

  const alarms = createAlarms(copy.sql, now, async (id, key) => {
    const owned = mine.withKey(key);
    if (owned !== undefined && owned.id === id && !isClosing)
      await visit(owned, ({ session }) => session.alarm());
  });

  const shared: Shared<Env> = {
    ...options,
    sql: copy.sql,
    gate,
    alarms,
    attempt,
    failedToStore,
    keep: options.background.waitUntil,
    successors,
    erase,
    onShutdown: (owned) => queueMicrotask(() => release(owned)),
    onTombstone: census.left,
    onRevive: census.revive,
    now,
  };

  /** Runs `body` with the session in memory, where there is room; rejects where the tenure ends before it is done. */
  const use = <T>(owned: Owned, body: (resident: Resident) => Promise<T>): Promise<T | Refusal> =>
    new Promise((resolve, reject) => {
      if (isOver || isClosing || owned.leaving !== undefined) throw new NotHere();
      if (!residents.admit(owned.id)) {
        release(owned);
        return resolve({ kind: "refused", failure: failures.noMemory });
      }
      const resident = residents.load(owned.id, owned.key);
      const leave = residents.hold(resident);
      const slot = waiting.add(reject);
      void body(resident)
        .finally(() => {
          waiting.take(slot);
          leave();
        })
        .then(resolve, reject);
    });

  /** False where it is not known in time whether what the session has written is stored. */
  const stored = async (key: number): Promise<boolean> => {
    const storing = gate.stored(key);
    return (
      storing === undefined ||
      (await within(
        storing.then(() => true),
        STORE_MS,
      )) === true
    );
  };

  /** Rejects where that is not known. */
  const confirmed = async (key: number): Promise<void> => {
    if (!(await stored(key))) throw new Error(failures.notStored.error.message);
  };

  /** Answers with what the session answers, once that may leave. */
  const answer = async <R extends { kind: string }>(
    owned: Owned,
    ask: (resident: Resident) => Promise<R>,
  ): Promise<R | Refusal> => {
    // Past its lease the process takes nothing on: it may all be another's.
    try {
      if (!gate.isHeld() && !(await stored(owned.key))) return REFUSED_UNSTORED;
      const reply = await use(owned, ask);
      if (gate.isHeld() && !gate.isDirty(owned.key)) return reply;
      return (await stored(owned.key)) ? reply : REFUSED_UNSTORED;
    } finally {
      release(owned);
    }
  };

  const streaming = createStreaming({
    answer,
    hold: residents.hold,
    settled: gate.settled,
    now,
    isOver: () => isOver,
    attempt: (id, body) => void attempt(id, body),
  });

  /** Does what is asked, where there is a place for the session in case it comes to be by it. */
  const placed = async <T>(
    owned: Owned,
    asked: Call | Attach,
    body: () => Promise<T>,
  ): Promise<T | Refusal> => {
    const mayOpen = asked.opens || (asked.keyed !== undefined && !isStored(owned.key));
    if (!mayOpen) return body();
    owned.users += 1;
    const place = await census.enter(asked.caller.principal ?? null).catch(() => failures.unreachable);
    try {
      return "status" in place ? { kind: "refused", failure: place } : await body();
    } finally {
      owned.users -= 1;
      const isOpen = !isOver && isStored(owned.key);
      if (!("status" in place)) place.entered(isOpen);
      if (!isOpen) release(owned);
    }
  };

  const tenure: Tenure = {
    node,
    gate,
    get inMemory() {
      return residents.size;
    },
    get size() {
      return mine.size;
    },
    get departures() {
      return mine.departures;
    },
    owned: mine.of,
    take(id, claimed) {
      const owned = mine.take(id, claimed);
      if (claimed !== undefined) alarms.look();
      return owned;
    },
    post: (owned, call, isForwarded) =>
      placed(owned, call, () =>
        streaming.reply<Exclude<Answer, { kind: "stream" }>>(
          owned,
          {
            at: (stream) => formatEventId(stream, 0),
            connectionId: call.connectionId,
            isForwarded,
            onLeave({ session }, stream, seq) {
              // See `local/replies.ts`.
              if (seq !== undefined) session.reached(stream, call.connectionId(), seq);
              session.leave(stream, call.connectionId());
            },
          },
          async ({ session }, open) => {
            const reply = await session.post(call, open);
            if ((call.opens || call.keyed !== undefined) && owned.users <= 1 && !isStored(owned.key)) {
              // A server that refused to be initialised leaves no session, nor what its factory may have stored.
              erase(owned);
              if (session.isLive()) throw new Error("the session could not be stored");
            }
            return reply;
          },
        ),
      ),
    attach: (owned, request, isForwarded) =>
      placed(owned, request, () =>
        streaming.reply<Refusal>(
          owned,
          {
            at: () => request.lastEventId,
            connectionId: () => request.connectionId,
            isForwarded,
            onLeave: ({ session }, stream, seq) => session.leave(stream, request.connectionId, seq),
          },
          ({ session }, open) => session.attach(request, open),
        ),
      ),
    end: (owned, caller) => answer(owned, ({ session }) => session.end(caller)),
    async terminate(owned) {
      const wasThere = await visit(owned, ({ session }) => session.terminate());
      await confirmed(owned.key);
      return wasThere;
    },
    async notify(owned, changes) {
      await visit(owned, ({ session }) => session.notify(changes));
      await confirmed(owned.key);
    },
    isLive: (owned) => visit(owned, async ({ session }) => session.isLive()),
    async inspect(owned) {
      const { id, key } = owned;
      if (isOver || owned.leaving !== undefined) throw new NotHere();
      const alarm = await alarms.of(key).get();
      const inMemory = residents.peek(id)?.inMemory();
      const detail = inspect({ store: createSessionStore(copy.sql, key), inMemory, alarm, now: now() });
      // What was taken to be looked at.
      release(owned);
      return detail;
    },
    evict: (owned) => {
      residents.evict(owned.id);
      release(owned);
    },
    async close(ms) {
      isClosing = true;
      residents.shutdown();
      await Promise.all([residents.settled(ms), options.background.settled(CLOSE_WORK_MS)]);
      alarms.stop();
      for (const reject of waiting.items()) reject(new Error("The host is closed"));
      if (!isOver) {
        await within(
          gate.flush().catch(() => {}),
          ms,
        );
        gate.end("closed");
        isOver = true;
        await within(
          engine.leave(node).catch(() => {}),
          ms,
        );
      }
      streaming.breakAll();
      copy.close();
    },
    abandon() {
      if (isOver) return;
      isOver = true;
      gate.end("closed");
      alarms.stop();
      streaming.breakAll();
      for (const reject of waiting.items()) reject(new TenureOver());
      mine.abandon();
      // Their servers end as with the process; what they say meanwhile goes nowhere.
      residents.shutdown();
      void residents.settled(STORE_MS).then(() => copy.close());
    },
  };
  return tenure;
}

/** The session is not this process's, or not any more: nothing of what was asked has been done. */
export class NotHere extends Error {
  override readonly name = "NotHere";

  constructor() {
    super("the session is not here");
  }
}
