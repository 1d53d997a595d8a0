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
import { createOwnStore } from "../local/own-store.ts";
import type { Room } from "../local/memory.ts";
import { createResidents, type Resident } from "../local/residents.ts";
import { createSlots } from "../local/slots.ts";
import type { Settings } from "../options.ts";
import type { Delay } from "../session/calls/delays.ts";
import type { Session } from "../session/contract.ts";
import { inspect } from "../session/inspect.ts";
import { createInterest, type SessionChanges } from "../session/interest.ts";
import type { Successors } from "../session/ports.ts";
import type { CreateServer } from "../session/server/factory.ts";
import { createSession } from "../session/session.ts";
import { SCHEMA_VERSION, type SqlStore } from "../session/store/schema.ts";
import { createSessionStore } from "../session/store/store.ts";
import type { OpenOutlet } from "../session/streams/outlet.ts";
import type { SessionDetail } from "../sessions.ts";
import { formatEventId } from "../sse/event-id.ts";
import type { UserChannel } from "../user/state.ts";
import { within } from "../within.ts";
import type { Census } from "./census.ts";
import type { Clock, Mark } from "./clock.ts";
import { openCopy, VACANT } from "./copy.ts";
import type { Batch, Claimed, Engine, RowOf } from "./engine.ts";
import { createGate, type Gate, type GateEnd, TenureOver } from "./gate.ts";
import { createGatedLink, type GatedLink, type OwnerLink } from "./link.ts";

/** A session that this process has. */
export interface Owned {
  readonly id: string;
  /** Its key in the working copy. */
  readonly key: number;
  /** Requests that may open it, or have yet to be let in. */
  users: number;
  /** Set while it is being let go of: resolves once others can take it. */
  leaving: Promise<void> | undefined;
}

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
  const byId = new Map<string, Owned>();
  const byKey = new Map<number, Owned>();
  /** Those that are to be let go of with the next flush that holds nothing of theirs. */
  const letting = new Map<Owned, () => void>();
  const links = new Set<GatedLink>();
  /** Ends the wait of each request that is being answered. */
  const waiting = createSlots<(error: Error) => void>();
  let lastKey = 0;
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

  const collect = (): Batch => {
    const changed = copy.take();
    const rows: RowOf[] = [];
    const gone: Omit<RowOf, "data">[] = [];
    const touched = new Set<number>();
    for (const { key, table, pk, data } of changed.rows) {
      const owned = byKey.get(key);
      if (owned === undefined) continue;
      touched.add(key);
      if (data === undefined) gone.push({ session: owned.id, table, pk });
      else rows.push({ session: owned.id, table, pk, data });
    }
    const heads = [...changed.heads].flatMap((key) => {
      const owned = byKey.get(key);
      if (owned === undefined) return [];
      touched.add(key);
      return [{ id: owned.id, schema: SCHEMA_VERSION, ...copy.head(key) }];
    });
    const released: string[] = [];
    const vacated: string[] = [];
    for (const owned of letting.keys()) {
      if (touched.has(owned.key)) continue;
      (copy.head(owned.key).status === VACANT ? vacated : released).push(owned.id);
    }
    return { rows, gone, heads, released, vacated };
  };

  const onStored = ({ released, vacated }: Batch): void => {
    for (const id of [...released, ...vacated]) {
      const owned = byId.get(id);
      if (owned === undefined) continue;
      byId.delete(id);
      byKey.delete(owned.key);
      copy.drop(owned.key);
      letting.get(owned)?.();
      letting.delete(owned);
    }
  };

  const gate = createGate({
    leaseMs,
    emit,
    since: options.since,
    collect,
    flush: (n, batch) => engine.flush({ node, n, leaseMs }, batch),
    onStored,
    onClock: clock.heard,
    onEnd(why) {
      emit("cluster.left", { node, reason: why === "lost" ? "lost" : "fenced", sessions: byId.size });
      tenure.abandon();
      options.onOver(why);
    },
  });

  /** The working copy as one session writes to it: whatever is no query waits at the gate. */
  const writing = (key: number): Required<SqlStore> => {
    const exec: SqlStore["exec"] = (statement, ...bindings) => {
      if (!statement.startsWith("SELECT")) gate.wrote(key);
      return copy.sql.exec(statement, ...bindings);
    };
    return { exec, defer: exec, transaction: (body) => copy.sql.transaction(body) };
  };

  const isStored = (key: number): boolean => copy.head(key).status !== VACANT;

  /** From here on the session is as good as any other's: only a request that is on its way already still finds it. */
  const release = (owned: Owned): void => {
    if (isOver || owned.leaving !== undefined || byId.get(owned.id) !== owned) return;
    if (owned.users > 0 || residents.keyOf(owned.id) !== undefined) return;
    owned.leaving = new Promise((resolve) => letting.set(owned, resolve));
    // By the next flush but one, if the next holds something of the session.
    void gate
      .flush()
      .then(() => (letting.has(owned) ? gate.flush() : undefined))
      .catch(() => {});
  };

  const erase = (owned: Owned): void => {
    const { id, key } = owned;
    const sql = writing(key);
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

  const create = (id: string, key: number, touch: () => void): Session => {
    const owned = byKey.get(key) as Owned;
    const sql = writing(key);
    const own = createOwnStore(sql, touch, failedToStore);
    const alarm = alarms.of(key);
    const { changes } = options;
    const session = createSession<Env>({
      id,
      store: createSessionStore(own, key),
      settings,
      createServer: options.createServer,
      env: options.env,
      alarm: {
        get: () => attempt(id, alarm.get) as number | undefined,
        set(at) {
          gate.wrote(key);
          attempt(id, () => alarm.set(at));
        },
        clear() {
          gate.wrote(key);
          attempt(id, alarm.clear);
        },
      },
      successors,
      interest: (interested) =>
        createInterest(
          {
            publish: (topic, change) => gate.settled(key, () => changes.publish(topic, change)),
            watch: changes.watch,
            forget: changes.forget,
          },
          interested,
        ),
      // What a tool tells others follows from what it has written before.
      userChannel: (name) => async (request) => {
        await gate.stored(key);
        return options.userChannel(name)(request);
      },
      keep: options.background.waitUntil,
      redialMs: REDIAL_MS,
      quick: options.quick,
      async erase() {
        own.end();
        erase(owned);
      },
      onTombstone: census.left,
      onRevive: census.revive,
      now,
    });
    return {
      ...session,
      shutdown() {
        session.shutdown();
        queueMicrotask(() => release(owned));
      },
    };
  };

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
    const owned = byKey.get(key);
    if (owned !== undefined && owned.id === id && !isClosing)
      await visit(owned, ({ session }) => session.alarm());
  });

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

  interface Streaming {
    /** Where an edge dials from whose link breaks before its first chunk. */
    readonly at: (stream: number) => string | undefined;
    readonly connectionId: () => string;
    readonly isForwarded: boolean;
    /** @param seq undefined where the edge did not say */
    readonly onLeave: (resident: Resident, stream: number, seq: number | undefined) => void;
  }

  /** Asks for a reply that may be a stream. */
  const streaming = async <R extends { kind: string }>(
    owned: Owned,
    { at, connectionId, isForwarded, onLeave }: Streaming,
    ask: (resident: Resident, open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
  ): Promise<R | Refusal | { kind: "stream"; link: OwnerLink }> => {
    let opened: GatedLink | undefined;
    const reply = await answer(owned, async (resident) => {
      const open: OpenOutlet = (stream) => {
        const leave = residents.hold(resident);
        const ends = createGatedLink({
          at: at(stream),
          connectionId: connectionId(),
          openedAt: now(),
          isForwarded,
          settled: (action) => gate.settled(owned.key, action),
          onAck(seq) {
            if (!isOver) resident.session.ack(stream, connectionId(), seq);
          },
          onClose(seq) {
            links.delete(ends);
            if (!isOver) attempt(owned.id, () => onLeave(resident, stream, seq));
            leave();
          },
        });
        links.add(ends);
        opened = ends;
        return ends.outlet;
      };
      try {
        return await ask(resident, open);
      } catch (error) {
        opened?.link.lose();
        throw error;
      }
    }).catch((error: unknown) => {
      opened?.link.lose();
      throw error;
    });
    if (reply.kind !== "streaming") {
      if (reply === REFUSED_UNSTORED) opened?.link.lose();
      return reply as R;
    }
    if (opened === undefined) throw new Error("the session streams on no link");
    return { kind: "stream", link: opened.link };
  };

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
      return byId.size;
    },
    owned: (id) => byId.get(id),
    take(id, claimed) {
      const held = byId.get(id);
      if (held !== undefined) return held;
      const owned: Owned = { id, key: ++lastKey, users: 0, leaving: undefined };
      byId.set(id, owned);
      byKey.set(owned.key, owned);
      if (claimed !== undefined) {
        const { head, rows } = claimed;
        // One whose owner died between its first row and its alarm must not stay for ever.
        copy.load(owned.key, rows, rows.length === 0 ? null : (head.alarm ?? now()));
        alarms.look();
      }
      return owned;
    },
    post: (owned, call, isForwarded) =>
      placed(owned, call, () =>
        streaming<Exclude<Answer, { kind: "stream" }>>(
          owned,
          {
            at: (stream) => formatEventId(stream, 0),
            connectionId: call.connectionId,
            isForwarded,
            // As between isolates: the end of a POST's connection does not tell what its client has read.
            onLeave: ({ session }, stream) => session.leave(stream, call.connectionId()),
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
        streaming<Refusal>(
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
      await gate.stored(owned.key);
      return wasThere;
    },
    async notify(owned, changes) {
      await visit(owned, ({ session }) => session.notify(changes));
      await gate.stored(owned.key);
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
      for (const link of links) link.break();
      copy.close();
    },
    abandon() {
      if (isOver) return;
      isOver = true;
      gate.end("closed");
      alarms.stop();
      for (const link of links) link.break();
      for (const reject of waiting.items()) reject(new TenureOver());
      for (const settle of letting.values()) settle();
      letting.clear();
      // Their servers end as with the process; what they say meanwhile goes nowhere.
      residents.shutdown();
      void residents.settled(STORE_MS).then(() => copy.close());
    },
  };
  return tenure;
}

/** Edges see their links break, and dial at once; this is many times that. */
const REDIAL_MS = 1000;

/** The session is not this process's, or not any more: nothing of what was asked has been done. */
export class NotHere extends Error {
  override readonly name = "NotHere";

  constructor() {
    super("the session is not here");
  }
}
