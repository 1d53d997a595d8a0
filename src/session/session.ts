/**
 * The session: what a host calls, and where the parts meet. One object per session and isolate; all
 * that must outlive the isolate is in the store.
 *
 * A message's way: `post` admits it, has the server woken and the message handed on (`calls/dispatch.ts`);
 * what the server sends goes to an exchange (`calls/exchange.ts`) or the standalone stream, and from there
 * through a log (`streams/log.ts`) to a connection (`streams/stream.ts`).
 *
 * What lives as long as a session is a class: of closures each session would have its own.
 * @module
 */
import type { Change } from "../changes.ts";
import { shortId } from "../log-text.ts";
import { expiryOf } from "../expiry.ts";
import type { Attach, Call, Caller, Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isInitialize, isRequest } from "../jsonrpc/messages.ts";
import { hasBatches } from "../jsonrpc/versions.ts";
import { admit, admitOtherwise } from "./admission.ts";
import { type Arrival, createArrival } from "./arrival.ts";
import { Dispatch } from "./calls/dispatch.ts";
import type { Left, Restored, Session } from "./contract.ts";
import { SessionCore } from "./core.ts";
import type { InMemory } from "./inspect.ts";
import { createLaterSession } from "./later.ts";
import { isSuccessor, Lifecycle } from "./lifecycle.ts";
import { locate } from "./locate.ts";
import type { Seed, SessionOptions } from "./ports.ts";
import { reviveSession } from "./revival.ts";
import type { Reply } from "./server/reply.ts";
import { LaterSchema, type SessionRow } from "./store/schema.ts";
import type { OpenOutlet, Outlet } from "./streams/outlet.ts";
import { openingOf } from "./streams/streams.ts";
import { Upkeep } from "./upkeep.ts";

type Outcome = Reply | Refusal;

const isRefusal = (found: SessionRow | Refusal): found is Refusal => found.kind === "refused";

const refused = (failure: failures.Failure): Refusal => ({ kind: "refused", failure });

/** The session that the store holds, or that may be opened in it; one that a later version stored refuses everything. */
export function createSession<Env>(given: SessionOptions<Env>): Session {
  const { id, logs, settings } = given;
  const options =
    logs === undefined
      ? given
      : { ...given, settings: { ...settings, emit: logs.noting(id, settings.emit) } };
  try {
    return new LiveSession(options, new Lifecycle(options));
  } catch (error) {
    if (error instanceof LaterSchema) return createLaterSession(options, error);
    throw error;
  }
}

class LiveSession<Env> implements Session {
  readonly core: SessionCore<Env>;
  readonly #dispatch: Dispatch<Env>;
  readonly #upkeep: Upkeep;
  readonly #arrival: Arrival;
  #reviving: Promise<Refusal | undefined> | undefined;

  constructor(options: SessionOptions<Env>, lifecycle: Lifecycle) {
    this.core = new SessionCore(options, lifecycle, () => void this.#upkeep.busy());
    this.#dispatch = new Dispatch(this.core);
    this.#upkeep = new Upkeep(this.core, this.#dispatch, () => this.#stop(false));
    this.#arrival = createArrival(options.redialMs, options.now);
  }

  isLive(): boolean {
    return this.core.isLive();
  }

  async adopt(seed: Seed): Promise<void> {
    this.core.lifecycle.open("streamable", { ...seed, status: "provisional", initialized: 1 });
    await this.begun();
  }

  async post(call: Call, open: OpenOutlet): Promise<Outcome> {
    const replied = this.#post(call, open);
    // Most have yet to be answered; what is there already need not wait its turn.
    const reply = replied instanceof Promise ? await replied : replied;
    if (reply.kind === "refused") this.#dispatch.turnedAway(call);
    return reply;
  }

  async attach(request: Attach, open: OpenOutlet): Promise<{ kind: "streaming" } | Refusal> {
    const { lifecycle, interest, options } = this.core;
    const { id, settings, now } = options;
    this.core.keyedBy(request);
    if (request.opens) {
      lifecycle.open("http+sse", { principal: request.caller.principal ?? null });
      settings.emit("session.created", { session: shortId(id), kind: "http+sse" });
    }
    const row = admit(this, request) ?? (await admitOtherwise(this, request));
    if (isRefusal(row)) return row;
    this.#dispatch.earlier.settle();
    const place = locate(request, { id, settings, row, streams: this.core.streamsOf(row), now });
    if ("kind" in place) return place;
    const { stream, after } = place;
    const lacking = this.#dispatch.earlier.challenge(stream.id, request.caller);
    if (lacking !== undefined) {
      const failure = await lacking;
      if (failure !== undefined) return refused(failure);
      if (!this.isLive()) return lifecycle.gone(request.caller.principal, true);
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
    this.#arrival.arrived();
    await this.#upkeep.connected(outlet);
    this.#dispatch.earlier.rerun(stream.id, request.caller);
    if (stream === this.core.streamsOf(row).standalone) void interest?.listening();
    return { kind: "streaming" };
  }

  async end(caller: Caller): Promise<{ kind: "ended" } | Refusal> {
    const { lifecycle, options } = this.core;
    const isAsleep = lifecycle.isRevivable(caller.principal, "streamable");
    if (lifecycle.admit(caller.principal, "streamable") === undefined && !isAsleep) {
      return lifecycle.gone(caller.principal, false);
    }
    options.settings.emit("session.terminated", {
      session: shortId(options.id),
      durationMs: lifecycle.age(),
    });
    await this.#stop(true);
    return { kind: "ended" };
  }

  async terminate(): Promise<boolean> {
    const { lifecycle, options } = this.core;
    const { id, settings } = options;
    // Only a 404 that names a successor needs to remember what it succeeds; nothing else may take it up again.
    const forget = settings.recovery !== "rotate";
    if (!this.isLive() && !lifecycle.isAsleep()) {
      await lifecycle.end(forget);
      return false;
    }
    settings.emit("session.terminated", { session: shortId(id), durationMs: lifecycle.age() });
    await this.#stop(forget);
    return true;
  }

  async notify(changes: readonly Change[]): Promise<string[] | undefined> {
    const { lifecycle, interest, deadlines, options } = this.core;
    const row = lifecycle.live();
    if (row === undefined || interest === undefined) return undefined;
    const { wanted, unwanted } = interest.sift(changes);
    // Before `initialized` a server says nothing (lifecycle); HTTP+SSE clients may never say it.
    if (row.kind === "streamable" && row.initialized === 0) return unwanted;
    const { standalone } = this.core.streamsOf(row);
    for (const json of wanted) void standalone.emit(json, null);
    if (wanted.length > 0) await deadlines.by(options.now() + options.settings.messageTtlMs);
    return unwanted;
  }

  async alarm(): Promise<void> {
    const { interest, options } = this.core;
    await this.#upkeep.alarm();
    try {
      const isListening = this.core.streams()?.standalone.outlet() !== undefined;
      if (this.isLive()) await interest?.again(isListening);
    } catch (error) {
      // Storage that cannot be read has been told of above, and the alarm is set.
      options.settings.emit("send.error", { session: shortId(options.id), message: String(error) });
    }
  }

  ack(stream: number, connectionId: string, seq: number): void {
    if (this.isLive()) this.core.streams()?.peek(stream)?.ack(connectionId, seq);
  }

  reached(stream: number, connectionId: string, seq: number): void {
    if (this.isLive()) this.core.streams()?.peek(stream)?.reached(connectionId, seq);
  }

  leave(stream: number, connectionId: string, { seq, reason }: Left = {}): void {
    const { lifecycle } = this.core;
    const row = lifecycle.live();
    if (row === undefined) return;
    this.core.streamsOf(row).peek(stream)?.leave(connectionId, seq, reason);
    // An edge whose client is gone says how far that came.
    if (seq === undefined) this.#arrival.broke();
    lifecycle.touch();
    void this.#upkeep.disconnected();
  }

  restore(stream: number, outlet: Outlet, { place, handed = 0 }: Restored): void {
    const row = this.core.lifecycle.live();
    const held = row === undefined ? undefined : this.core.streamsOf(row).find(stream);
    if (held === undefined) outlet.end("deleted");
    else held.restore(outlet, place, handed);
    // A call may have been in flight as the isolate went to sleep or died.
    this.#dispatch.earlier.settle();
    this.#dispatch.earlier.giveUp(stream);
  }

  inMemory(): InMemory {
    return {
      lastUsed: this.core.lifecycle.lastUsed(),
      calls: this.#dispatch.calls(),
      streams: Array.from(this.core.streams()?.live() ?? [], (stream) => ({
        stream: stream.id,
        acked: stream.handed(),
        outlet: stream.outlet(),
      })),
    };
  }

  isIdle(): boolean {
    return (
      this.core.attached().length === 0 &&
      this.#dispatch.inFlight() === 0 &&
      !this.#dispatch.isStarting() &&
      !this.core.isBusy()
    );
  }

  shutdown(): void {
    this.#dispatch.suspend();
    this.core.dropStreams("shutdown");
    this.core.options.onShutdown?.();
  }

  begun(): Promise<void> {
    return this.#upkeep.begun();
  }

  wake(row: SessionRow): Promise<unknown> {
    return this.#dispatch.revive(row);
  }

  /** Once however many ask at the same time. */
  revive(): Promise<Refusal | undefined> {
    return (this.#reviving ??= reviveSession(this).finally(() => (this.#reviving = undefined)));
  }

  #post(call: Call, open: OpenOutlet): Outcome | Promise<Outcome> {
    const { core } = this;
    core.keyedBy(call);
    const isInitial = isInitialize(call.payload) && call.transport === "streamable";
    const isNew = isInitial && call.keyed !== undefined && core.lifecycle.isVacant();
    if (call.opens || isNew) return this.#open(call);
    const row = admit(this, call);
    return row === undefined ? this.#postOtherwise(call, open) : this.#handOn(row, call, open);
  }

  async #open(call: Call): Promise<Outcome> {
    const { id, settings } = this.core.options;
    this.core.ofTopic(call.caller);
    const reply = await this.#dispatch.open(call);
    if (this.isLive()) {
      settings.emit("session.created", { session: shortId(id), kind: "streamable" });
      await this.begun();
    }
    return reply;
  }

  async #postOtherwise(call: Call, open: OpenOutlet): Promise<Outcome> {
    const isFresh = this.#introduces(call) && call.keyed === undefined;
    const row = isFresh
      ? await this.core.lifecycle.gone(call.caller.principal, false)
      : await admitOtherwise(this, call);
    return isRefusal(row) ? row : this.#handOn(row, call, open);
  }

  #introduces({ payload, transport }: Call): boolean {
    return transport === "streamable" && isInitialize(payload);
  }

  #handOn(row: SessionRow, call: Call, open: OpenOutlet): Outcome | Promise<Outcome> {
    // To a session that is found by its key the client may introduce itself anew: its server hears of it.
    if (call.keyed === undefined && this.#introduces(call)) {
      // A successor that nobody has used may be initialised once more.
      return isSuccessor(row) ? this.#dispatch.open(call) : refused(failures.alreadyInitialized);
    }
    const { batch, messages } = call.payload;
    if (batch && !hasBatches(row.version)) return refused(failures.batchNotSupported(row.version));
    const isRelayed = call.needsStream === true && row.kind === "http+sse" && messages.some(isRequest);
    return isRelayed ? this.#handOnHeard(row, call, open) : this.#dispatch.run(call, open);
  }

  /** A request of HTTP+SSE, which would be answered on a stream: not on one that is gone. */
  async #handOnHeard(row: SessionRow, call: Call, open: OpenOutlet): Promise<Outcome> {
    const { core } = this;
    if (core.streamsOf(row).standalone.outlet() === undefined) await this.#arrival.awaited();
    // One that has ended meanwhile says so itself.
    const isHeard = !this.isLive() || core.streamsOf(row).standalone.outlet() !== undefined;
    return isHeard ? this.#dispatch.run(call, open) : refused(failures.sessionNotFound);
  }

  /** Ends the session and everything that belongs to it. */
  async #stop(forget: boolean): Promise<void> {
    const { lifecycle, interest, deadlines } = this.core;
    interest?.end();
    this.#dispatch.close();
    this.core.dropStreams("deleted");
    await lifecycle.end(forget);
    await deadlines.rearm(lifecycle.deadline(false));
  }
}
