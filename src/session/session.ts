/**
 * The session: what a host calls, and where the parts meet. One object per session and isolate; all
 * that must outlive the isolate is in the store.
 *
 * A message's way: `post` admits it, has the server woken and the message handed on (`dispatch.ts`);
 * what the server sends goes to an exchange (`exchange.ts`) or the standalone stream, and from there
 * through a log (`log.ts`) to a connection (`stream.ts`).
 * @module
 */
import type { Change } from "../changes.ts";
import { shortId } from "../events.ts";
import type { Attach, Call, Caller, Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isInitialize } from "../jsonrpc/messages.ts";
import { hasBatches } from "../jsonrpc/versions.ts";
import { parseEventId } from "../sse/event-id.ts";
import { createDeadlines } from "./deadlines.ts";
import { createDispatch } from "./dispatch.ts";
import type { Reply } from "./exchange.ts";
import { subscriptionsIn } from "./journal.ts";
import { createLifecycle } from "./lifecycle.ts";
import type { OpenOutlet, Outlet, Seed, SessionOptions } from "./ports.ts";
import type { SessionRow } from "./schema.ts";
import type { Stream } from "./stream.ts";
import { createStreams, openingOf, type Streams } from "./streams.ts";
import { createUpkeep } from "./upkeep.ts";

export interface Session {
  /** True while the session can be used. */
  isLive(): boolean;
  /** Begins the session as the successor of one that ended. */
  adopt(seed: Seed): Promise<void>;
  post(call: Call, open: OpenOutlet): Promise<Reply | Refusal>;
  attach(request: Attach, open: OpenOutlet): Promise<{ kind: "streaming" } | Refusal>;
  /** Ends the session on its client's word. */
  end(caller: Caller): Promise<{ kind: "ended" } | Refusal>;
  /** Ends the session on its server's word. True where there was one. */
  terminate(): Promise<boolean>;
  /**
   * The hub tells of changes; what the client subscribed to goes out on the standalone stream, without
   * waking the server. Returns the names that the hub can forget, or undefined for a session that is gone.
   */
  notify(changes: readonly Change[]): Promise<string[] | undefined>;
  /** The alarm rang: does what is due, and sets it again where something remains. Never throws. */
  alarm(): Promise<void>;
  /** The edge has handed everything up to `seq` to the client. */
  ack(stream: number, connectionId: string, seq: number): void;
  /** A connection is over; `seq` is the last event that its client was handed, where known. */
  leave(stream: number, connectionId: string, seq?: number): void;
  /** Takes up a connection that outlived the isolate. */
  restore(stream: number, outlet: Outlet, place: number): void;
  /** True while nothing is under way: no connection, no call, no server being built. */
  isIdle(): boolean;
  /** Lets go of the session as the process ends or needs the memory: connections and server end, the session stays. */
  shutdown(): void;
}

const refused = (failure: failures.Failure): Refusal => ({ kind: "refused", failure });

export function createSession<Env>(options: SessionOptions<Env>): Session {
  const { id, store, settings, now } = options;
  const deadlines = createDeadlines(options.alarm, now);
  const lifecycle = createLifecycle(options);
  const isLive = (): boolean => lifecycle.live() !== undefined;
  const interest = options.interest?.({ id, store, emit: settings.emit, isLive });
  let streams: Streams | undefined;

  const streamsOf = (row: SessionRow): Streams =>
    (streams ??= createStreams(row, store, settings, now, settings.emit));

  const dispatch = createDispatch({
    ...options,
    lifecycle,
    streams: streamsOf,
    notify: interest?.notify,
    by: (at) => void deadlines.by(at),
  });

  /** Ends the session and everything that belongs to it. */
  const stop = async (forget: boolean): Promise<void> => {
    interest?.end();
    dispatch.close();
    for (const stream of streams?.attached() ?? []) stream.end("deleted");
    streams = undefined;
    await lifecycle.end(forget);
    await deadlines.rearm(lifecycle.deadline(false));
  };

  const upkeep = createUpkeep({
    ...options,
    lifecycle,
    deadlines,
    streams: streamsOf,
    inFlight: dispatch.inFlight,
    stop: () => stop(false),
  });

  /** Most requests name no topic: there is but the default one. */
  const ofTopic = ({ topic }: Caller): void => {
    if (topic !== undefined) interest?.by(topic);
  };

  /** The session's row as it was before this request, if the request may use it. */
  const admit = (request: Call | Attach): SessionRow | undefined => {
    const row = lifecycle.admit(request.caller.principal, request.transport);
    if (row !== undefined) {
      lifecycle.touch();
      // A successor waits under a deadline of its own; from its first use on it lives as long as any session.
      if (row.status === "provisional") void upkeep.begun();
      ofTopic(request.caller);
    }
    return row;
  };

  /** Which stream an attach is for, and from where. */
  const locate = (request: Attach, row: SessionRow): { stream: Stream; after: number } | Refusal => {
    const held = streamsOf(row);
    const { standalone } = held;
    if (request.lastEventId === undefined) return { stream: standalone, after: standalone.resumePoint() };
    const cursor = parseEventId(request.lastEventId);
    const foreign = cursor?.session !== (row.kind === "http+sse" ? id : undefined);
    if (cursor === undefined || foreign) return refused(failures.unknownEventId);
    const stream = cursor.stream === standalone.id ? standalone : held.find(cursor.stream);
    if (stream === undefined || cursor.seq > stream.log.last()) return refused(failures.unknownEventId);
    if (settings.onGap === "404" && cursor.seq < stream.log.trimmed()) {
      settings.emit("replay.gap", { session: shortId(id), missed: stream.log.trimmed() - cursor.seq });
      return refused(failures.sessionNotFound);
    }
    // An edge that dials again is told on its link instead: it still holds the client's connection.
    if (stream.isComplete() && cursor.seq === stream.log.last() && !request.redial) {
      return refused(failures.nothingLeft);
    }
    return { stream, after: cursor.seq };
  };

  return {
    isLive,

    async adopt(seed) {
      lifecycle.open("streamable", { ...seed, status: "provisional", initialized: 1 });
      await upkeep.begun();
    },

    async post(call, open) {
      const { caller, payload } = call;
      const initialize = isInitialize(payload) && call.transport === "streamable";
      if (call.opens) {
        ofTopic(caller);
        const reply = await dispatch.open(call);
        if (isLive()) {
          settings.emit("session.created", { session: shortId(id), kind: "streamable" });
          await upkeep.begun();
        }
        return reply;
      }
      const row = admit(call);
      if (row === undefined) return lifecycle.gone(caller.principal, !initialize);
      if (initialize) {
        return row.status === "provisional" ? dispatch.open(call) : refused(failures.alreadyInitialized);
      }
      if (payload.batch && !hasBatches(row.version)) return refused(failures.batchNotSupported(row.version));
      const uris = subscriptionsIn(payload.messages);
      if (uris.length > 0 && interest !== undefined) {
        await interest.subscribing(uris);
        if (!isLive()) return lifecycle.gone(caller.principal, true);
      }
      return dispatch.run(call, open);
    },

    async attach(request, open) {
      if (request.opens) {
        lifecycle.open("http+sse", { principal: request.caller.principal ?? null });
        settings.emit("session.created", { session: shortId(id), kind: "http+sse" });
      }
      const row = admit(request);
      if (row === undefined) return lifecycle.gone(request.caller.principal, true);
      dispatch.settleInterrupted();
      const place = locate(request, row);
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
      stream.attach(outlet, { after, opening, retryMs: settings.retryMs });
      await upkeep.connected(outlet);
      dispatch.rerun(stream.id, request.caller);
      if (stream === streamsOf(row).standalone) interest?.listening();
      return { kind: "streaming" };
    },

    async end(caller) {
      if (lifecycle.admit(caller.principal, "streamable") === undefined) {
        return lifecycle.gone(caller.principal, false);
      }
      settings.emit("session.terminated", { session: shortId(id) });
      await stop(true);
      return { kind: "ended" };
    },

    async terminate() {
      // Only a 404 that names a successor needs to remember what it succeeds; nothing else may take it up again.
      const forget = settings.recovery !== "rotate";
      if (!isLive()) {
        await lifecycle.end(forget);
        return false;
      }
      settings.emit("session.terminated", { session: shortId(id) });
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

    alarm: upkeep.alarm,

    ack(stream, connectionId, seq) {
      const row = lifecycle.live();
      if (row !== undefined) streamsOf(row).peek(stream)?.ack(connectionId, seq);
    },

    leave(stream, connectionId, seq) {
      const row = lifecycle.live();
      if (row === undefined) return;
      streamsOf(row).peek(stream)?.leave(connectionId, seq);
      lifecycle.touch();
      void upkeep.disconnected();
    },

    restore(stream, outlet, place) {
      const row = lifecycle.live();
      const held = row === undefined ? undefined : streamsOf(row).find(stream);
      if (held === undefined) outlet.end("deleted");
      else held.restore(outlet, place);
      // A call may have been in flight as the isolate went to sleep or died.
      dispatch.settleInterrupted();
      dispatch.giveUp(stream);
    },

    isIdle: () =>
      (streams?.attached() ?? []).length === 0 && dispatch.inFlight() === 0 && !dispatch.isStarting(),

    shutdown() {
      dispatch.suspend();
      for (const stream of streams?.attached() ?? []) stream.end("shutdown");
      streams = undefined;
    },
  };
}
