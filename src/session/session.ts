/**
 * The session: what a host calls, and where the parts meet. One object per session and isolate; all
 * that must outlive the isolate is in the store.
 *
 * A message's way: `post` admits it, has the server woken and the message handed on (`calls/dispatch.ts`);
 * what the server sends goes to an exchange (`calls/exchange.ts`) or the standalone stream, and from there
 * through a log (`streams/log.ts`) to a connection (`streams/stream.ts`).
 * @module
 */
import { createBackground } from "../background.ts";
import { shortId } from "../events.ts";
import { expiryOf } from "../expiry.ts";
import type { Call, Caller, Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isInitialize, isRequest } from "../jsonrpc/messages.ts";
import { hasBatches } from "../jsonrpc/versions.ts";
import { createAdmission } from "./admission.ts";
import { createArrival } from "./arrival.ts";
import type { Session } from "./contract.ts";
import { createConfirm } from "./confirm.ts";
import { createDeadlines } from "./deadlines.ts";
import { createDispatch } from "./calls/dispatch.ts";
import { createLaterSession } from "./later.ts";
import { createLifecycle, isSuccessor, type Lifecycle } from "./lifecycle.ts";
import type { SessionOptions } from "./ports.ts";
import { LaterSchema, type SessionRow } from "./store/schema.ts";
import { createStreams, openingOf, type Streams } from "./streams/streams.ts";
import { locate } from "./locate.ts";
import { createRevival } from "./revival.ts";
import { createUpkeep } from "./upkeep.ts";

const isRefusal = (found: SessionRow | Refusal): found is Refusal => found.kind === "refused";

const refused = (failure: failures.Failure): Refusal => ({ kind: "refused", failure });

/** The session that the store holds, or that may be opened in it; one that a later version stored refuses everything. */
export function createSession<Env>(options: SessionOptions<Env>): Session {
  try {
    return sessionOf(options, createLifecycle(options));
  } catch (error) {
    if (error instanceof LaterSchema) return createLaterSession(options, error);
    throw error;
  }
}

function sessionOf<Env>(options: SessionOptions<Env>, lifecycle: Lifecycle): Session {
  const { id, store, settings, now } = options;
  const deadlines = createDeadlines(options.alarm, now);
  const isLive = (): boolean => lifecycle.live() !== undefined;
  const interest = options.interest?.({
    id,
    store,
    emit: settings.emit,
    isLive,
    ringIn: (ms) => void deadlines.by(now() + ms),
  });
  let streams: Streams | undefined;

  const streamsOf = (row: SessionRow): Streams =>
    (streams ??= createStreams({ row, store, limits: settings, now, emit: settings.emit }));

  const background = createBackground(settings.emit, {
    ...(options.keep && { keep: options.keep }),
    onBusy: () => void upkeep.busy(),
    // As long as the call that it comes from might have run.
    mostMs: settings.maxCallMs || Infinity,
    now,
  });

  const dispatch = createDispatch({
    ...options,
    waitUntil: background.waitUntil,
    lifecycle,
    streams: streamsOf,
    confirm: interest && createConfirm(store, interest),
    notify: interest?.notify,
    isKeyed: () => isKeyed,
    topic: () => ownTopic,
    by: (at) => void deadlines.by(at),
  });

  /** Whether the session is found by its client's key: each of its requests says so. */
  let isKeyed = false;

  /** Ends the session and everything that belongs to it. */
  const stop = async (forget: boolean): Promise<void> => {
    interest?.end();
    dispatch.close();
    streams?.close("deleted");
    streams = undefined;
    await lifecycle.end(forget);
    await deadlines.rearm(lifecycle.deadline(false));
  };

  const upkeep = createUpkeep({
    ...options,
    lifecycle,
    deadlines,
    streams: streamsOf,
    calls: dispatch,
    background,
    stop: () => stop(false),
  });

  /** Most requests name no topic: there is but the default one. */
  let ownTopic: string | undefined;
  const ofTopic = ({ topic }: Caller): void => {
    if (topic === undefined) return;
    ownTopic = topic;
    interest?.by(topic);
  };

  const revive = createRevival({
    ...options,
    lifecycle,
    interest,
    wake: dispatch.revive,
    begun: upkeep.begun,
  });

  const admission = createAdmission({ ...options, lifecycle, begun: upkeep.begun, ofTopic, revive });

  const arrival = createArrival(options.redialMs, now);

  /** False where a request of HTTP+SSE would be answered on a stream that is gone. */
  const isHeard = async ({ needsStream, payload }: Call, row: SessionRow): Promise<boolean> => {
    if (!needsStream || row.kind !== "http+sse" || !payload.messages.some(isRequest)) return true;
    if (streamsOf(row).standalone.outlet() === undefined) await arrival.awaited();
    // One that has ended meanwhile says so itself.
    return !isLive() || streamsOf(row).standalone.outlet() !== undefined;
  };

  const session: Session = {
    isLive,

    async adopt(seed) {
      lifecycle.open("streamable", { ...seed, status: "provisional", initialized: 1 });
      await upkeep.begun();
    },

    async post(call, open) {
      const { caller, payload } = call;
      isKeyed ||= call.keyed !== undefined;
      const initialize = isInitialize(payload) && call.transport === "streamable";
      const isNew = initialize && call.keyed !== undefined && lifecycle.isVacant();
      if (call.opens || isNew) {
        ofTopic(caller);
        const reply = await dispatch.open(call);
        if (isLive()) {
          settings.emit("session.created", { session: shortId(id), kind: "streamable" });
          await upkeep.begun();
        }
        return reply;
      }
      const isFresh = initialize && call.keyed === undefined;
      const row =
        admission.admit(call) ??
        (isFresh ? await lifecycle.gone(caller.principal, false) : await admission.otherwise(call));
      if (isRefusal(row)) return row;
      // To a session that is found by its key the client may introduce itself anew: its server hears of it.
      if (initialize && call.keyed === undefined) {
        // A successor that nobody has used may be initialised once more.
        return isSuccessor(row) ? dispatch.open(call) : refused(failures.alreadyInitialized);
      }
      if (payload.batch && !hasBatches(row.version)) return refused(failures.batchNotSupported(row.version));
      if (!(await isHeard(call, row))) return refused(failures.sessionNotFound);
      return dispatch.run(call, open);
    },

    async attach(request, open) {
      isKeyed ||= request.keyed !== undefined;
      if (request.opens) {
        lifecycle.open("http+sse", { principal: request.caller.principal ?? null });
        settings.emit("session.created", { session: shortId(id), kind: "http+sse" });
      }
      const row = admission.admit(request) ?? (await admission.otherwise(request));
      if (isRefusal(row)) return row;
      dispatch.settleInterrupted();
      const place = locate(request, { id, settings, row, streams: streamsOf(row), now });
      if ("kind" in place) return place;
      const { stream, after } = place;
      const lacking = dispatch.challengeRerun(stream.id, request.caller);
      if (lacking !== undefined) {
        const failure = await lacking;
        if (failure !== undefined) return refused(failure);
        if (!isLive()) return lifecycle.gone(request.caller.principal, true);
      }
      const opening = request.redial ? "none" : openingOf(row);
      const outlet = open(stream.id);
      const retryMs = request.noRetry ? undefined : settings.retryMs;
      // Only of clients that are known to keep no id: what is noted may not have left the process when it is killed,
      // and a client that could hear it twice would rather do that than never.
      const notesPlace = request.notesPlace === true;
      const expiresAt = expiryOf(request.caller.authInfo);
      const replayed = stream.log.last() - after;
      if (request.lastEventId !== undefined && !request.redial && replayed > 0) {
        const { connectionId } = request;
        settings.emit("stream.resumed", { session: shortId(id), connectionId, replayed });
      }
      stream.attach(outlet, { after, opening, retryMs, expiresAt, notesPlace });
      arrival.arrived();
      await upkeep.connected(outlet);
      dispatch.rerun(stream.id, request.caller);
      if (stream === streamsOf(row).standalone) void interest?.listening();
      return { kind: "streaming" };
    },

    async end(caller) {
      const isAsleep = lifecycle.isRevivable(caller.principal, "streamable");
      if (lifecycle.admit(caller.principal, "streamable") === undefined && !isAsleep) {
        return lifecycle.gone(caller.principal, false);
      }
      settings.emit("session.terminated", { session: shortId(id), durationMs: lifecycle.age() });
      await stop(true);
      return { kind: "ended" };
    },

    async terminate() {
      // Only a 404 that names a successor needs to remember what it succeeds; nothing else may take it up again.
      const forget = settings.recovery !== "rotate";
      if (!isLive() && !lifecycle.isAsleep()) {
        await lifecycle.end(forget);
        return false;
      }
      settings.emit("session.terminated", { session: shortId(id), durationMs: lifecycle.age() });
      await stop(forget);
      return true;
    },

    async notify(changes) {
      const row = lifecycle.live();
      if (row === undefined || interest === undefined) return undefined;
      const { wanted, unwanted } = interest.sift(changes);
      // Before `initialized` a server says nothing (lifecycle); HTTP+SSE clients may never say it.
      if (row.kind === "streamable" && row.initialized === 0) return unwanted;
      const { standalone } = streamsOf(row);
      for (const json of wanted) void standalone.emit(json, null);
      if (wanted.length > 0) await deadlines.by(now() + settings.messageTtlMs);
      return unwanted;
    },

    async alarm() {
      await upkeep.alarm();
      try {
        if (isLive()) await interest?.again(streams?.standalone.outlet() !== undefined);
      } catch (error) {
        // Storage that cannot be read has been told of above, and the alarm is set.
        settings.emit("send.error", { session: shortId(id), message: String(error) });
      }
    },

    ack(stream, connectionId, seq) {
      if (isLive()) streams?.peek(stream)?.ack(connectionId, seq);
    },

    reached(stream, connectionId, seq) {
      if (isLive()) streams?.peek(stream)?.reached(connectionId, seq);
    },

    leave(stream, connectionId, seq) {
      const row = lifecycle.live();
      if (row === undefined) return;
      streamsOf(row).peek(stream)?.leave(connectionId, seq);
      // An edge whose client is gone says how far that came.
      if (seq === undefined) arrival.broke();
      lifecycle.touch();
      void upkeep.disconnected();
    },

    restore(stream, outlet, { place, handed = 0 }) {
      const row = lifecycle.live();
      const held = row === undefined ? undefined : streamsOf(row).find(stream);
      if (held === undefined) outlet.end("deleted");
      else held.restore(outlet, place, handed);
      // A call may have been in flight as the isolate went to sleep or died.
      dispatch.settleInterrupted();
      dispatch.giveUp(stream);
    },

    inMemory: () => ({
      lastUsed: lifecycle.lastUsed(),
      calls: dispatch.calls(),
      streams: Array.from(streams?.live() ?? [], (stream) => ({
        stream: stream.id,
        acked: stream.handed(),
        outlet: stream.outlet(),
      })),
    }),

    isIdle: () =>
      (streams?.attached() ?? []).length === 0 &&
      dispatch.inFlight() === 0 &&
      !dispatch.isStarting() &&
      !background.isBusy(),

    shutdown() {
      dispatch.suspend();
      streams?.close("shutdown");
      streams = undefined;
    },
  };
  const { turnedAway } = dispatch;
  if (turnedAway === undefined) return session;
  const { post } = session;
  return {
    ...session,
    async post(call, open) {
      const reply = await post(call, open);
      if (reply.kind === "refused") turnedAway(call);
      return reply;
    },
  };
}
