/**
 * What one process has while one lease of its lasts: its sessions, their working copy, their alarms, and the gate
 * through which all that follows from them leaves. When the lease is lost nothing of it leaves any more: the process
 * lets go of the whole, and begins another tenure as another node.
 * @module
 */
import { CLOSE_WORK_MS } from "../background.ts";
import type { Change, ChangeBus } from "../changes.ts";
import type { GuestKind } from "../guest.ts";
import type { Answer, Attach, Call, Caller, Refusal } from "../host.ts";
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { LocalGuests } from "../local/guests.ts";
import { inspect } from "../session/inspect.ts";
import { createSessionStore } from "../session/store/store.ts";
import type { SessionDetail } from "../sessions.ts";
import { formatEventId } from "../sse/event-id.ts";
import { within } from "../within.ts";
import { createAnswers, STORE_MS } from "./answers.ts";
import type { Clock, Mark } from "./clock.ts";
import { openCopy } from "./copy.ts";
import type { Claimed, Engine } from "./engine.ts";
import { createGate, type Gate, type GateEnd, TenureOver } from "./gate.ts";
import type { OwnerLink } from "./link.ts";
import { createLoaded, type ServedWith } from "./loaded.ts";
import { createOwnedSessions, NotHere, type Owned } from "./owned.ts";
import { createStreaming } from "./streaming.ts";
import { createTenureGuests } from "./tenure-guests.ts";

/** What a tenure is made of. */
export interface TenureOptions<Env> extends ServedWith<Env> {
  /** The node's id. */
  readonly node: string;
  /** Where the others reach it. */
  readonly address: string;
  readonly since: Mark;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** What lives besides sessions; undefined where nothing does. */
  readonly guest: GuestKind | undefined;
  readonly isGuest: (id: string) => boolean;
  readonly bus: (topic: string) => ChangeBus;
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
  /** See `OwnedSessions.take`. */
  take(id: string, claimed: Claimed | "reserved" | "fresh"): Owned;
  /** @param isForwarded the edge is in another process */
  post(owned: Owned, call: Call, isForwarded: boolean): Promise<OwnerAnswer>;
  attach(owned: Owned, request: Attach, isForwarded: boolean): Promise<OwnerAttached>;
  end(owned: Owned, caller: Caller): Promise<{ readonly kind: "ended" } | Refusal>;
  terminate(owned: Owned): Promise<boolean>;
  notify(owned: Owned, changes: readonly Change[]): Promise<void>;
  isLive(owned: Owned): Promise<boolean>;
  /** The session as it is: looking uses nothing. */
  inspect(owned: Owned): Promise<SessionDetail | undefined>;
  /** Asks a guest; rejects where it is not known in time that what follows from it is stored. */
  ask(owned: Owned, request: JsonObject, caller: Caller | undefined): Promise<JsonObject>;
  /** Lets go of a session, or a guest, that nothing is under way in. */
  evict(owned: Owned): void;
  /** Ends all in order, stores what that leaves, and lets go of everything. At most `ms`. */
  close(ms: number): Promise<void>;
  /** Lets go of everything at once: it may be another's already. */
  abandon(): void;
}

/** Nothing is its own yet. The node has joined. */
export function createTenure<Env>(options: TenureOptions<Env>): Tenure {
  const { node, engine, clock, settings, census, leaseMs } = options;
  const { emit } = settings;
  const { now } = clock;
  const copy = openCopy(options.guest);
  const mine = createOwnedSessions({ copy, isGuest: options.isGuest, now });
  let over = false;
  let isClosing = false;
  const isOver = (): boolean => over;

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

  const around = { ...options, copy, mine, gate, now, isOver };
  const loaded = createLoaded({
    ...around,
    isClosing: () => isClosing,
    isGuestPresent: (id) => guests.isPresent(id),
  });
  const { residents, alarms, visit, release } = loaded;
  const guests: LocalGuests = createTenureGuests({ ...around, onLeft: release });
  const { answer, placed, confirmed } = createAnswers({ loaded, gate, census, isOver });

  const streaming = createStreaming({
    answer,
    hold: residents.hold,
    settled: gate.settled,
    now,
    isOver,
    attempt: (id, body) => void loaded.attempt(id, body),
  });

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
      const owned = loaded.take(id, claimed);
      if (typeof claimed === "object") guests.look();
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
            onLeave({ session }, stream, { seq, reason }) {
              // See `local/replies.ts`.
              if (seq !== undefined) session.reached(stream, call.connectionId(), seq);
              session.leave(stream, call.connectionId(), { reason });
            },
          },
          async ({ session }, open) => {
            const reply = await session.post(call, open);
            if ((call.opens || call.keyed !== undefined) && owned.users <= 1 && !loaded.isStored(owned)) {
              // A server that refused to be initialised leaves no session, nor what its factory may have stored.
              loaded.erase(owned);
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
            onLeave: ({ session }, stream, left) => session.leave(stream, request.connectionId, left),
          },
          ({ session }, open) => session.attach(request, open),
        ),
      ),
    end: (owned, caller) => answer(owned, ({ session }) => session.end(caller)),
    async terminate(owned) {
      const wasThere = await visit(owned, ({ session }) => session.terminate());
      await confirmed(owned);
      return wasThere;
    },
    async notify(owned, changes) {
      await visit(owned, ({ session }) => session.notify(changes));
      await confirmed(owned);
    },
    isLive: (owned) => visit(owned, async ({ session }) => session.isLive()),
    async inspect(owned) {
      const { id, key } = owned;
      if (over || owned.leaving !== undefined) throw new NotHere();
      const alarm = await alarms.of(key).get();
      const inMemory = residents.peek(id)?.inMemory();
      const store = createSessionStore(copy.sql, key);
      const detail = inspect({ store, inMemory, alarm, logs: options.logs(), now: now() });
      // What was taken to be looked at.
      release(owned);
      return detail && { ...detail, process: inMemory && options.address };
    },
    async ask(owned, request, caller) {
      // Past its lease the process takes nothing on: it may all be another's.
      if (!gate.isHeld()) await confirmed(owned);
      const reply = await guests.visit(owned.id, (guest) => guest.ask(request, caller));
      await confirmed(owned);
      return reply;
    },
    evict: (owned) => {
      residents.evict(owned.id);
      release(owned);
    },
    async close(ms) {
      isClosing = true;
      guests.close();
      residents.shutdown();
      await Promise.all([residents.settled(ms), options.background.settled(CLOSE_WORK_MS)]);
      alarms.stop();
      loaded.breakOff(new Error("The host is closed"));
      if (!over) {
        await within(
          gate.flush().catch(() => {}),
          ms,
        );
        gate.end("closed");
        over = true;
        await within(
          engine.leave(node).catch(() => {}),
          ms,
        );
      }
      streaming.breakAll();
      copy.close();
    },
    abandon() {
      if (over) return;
      over = true;
      gate.end("closed");
      alarms.stop();
      guests.close();
      streaming.breakAll();
      loaded.breakOff(new TenureOver());
      mine.abandon();
      // Their servers end as with the process; what they say meanwhile goes nowhere.
      residents.shutdown();
      void residents.settled(STORE_MS).then(() => copy.close());
    },
  };
  return tenure;
}
