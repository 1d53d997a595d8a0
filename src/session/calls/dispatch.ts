/**
 * Hands a POST's messages to the user's server, which is woken for it where need be.
 * @module
 */
import { type Outcome, shortId } from "../../events.ts";
import type { Call, Caller, Refusal } from "../../host.ts";
import * as failures from "../../jsonrpc/failures.ts";
import {
  isNotification,
  isRequest,
  type JsonRpcMessage,
  type JsonRpcRequest,
} from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import { markOfText } from "../../names.ts";
import type { CallDetail } from "../../sessions.ts";
import { isPermanent } from "../../setup.ts";
import { controlFrame, keepaliveOf } from "../../sse/control.ts";
import { type CallWatch, watchCalls } from "../../watch.ts";
import { createExtra, polls } from "../server/extra.ts";
import type { Instance } from "../server/instance.ts";
import { createJournal, type Journal } from "../server/journal.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import type { ScopeRefusal } from "../server/scopes.ts";
import type { MessageExtra } from "../server/transport.ts";
import { Waker } from "../server/waker.ts";
import type { SessionRow } from "../store/schema.ts";
import type { OpenOutlet } from "../streams/outlet.ts";
import { callLimit, Exchanges } from "./exchanges.ts";
import { createInterrupted, type Interrupted, type Rerun } from "./interrupted.ts";
import { openWith } from "./opening.ts";
import { sessionOrigin } from "./origin.ts";
import { Phase } from "./phase.ts";
import type { ServingSide } from "./side.ts";
import { Standalone } from "./standalone.ts";
import { Starter } from "./starter.ts";

type Outcomes = Reply | Refusal;

/** A POST on its way to the server, and the way to its connection. */
interface Posted {
  readonly call: Call;
  readonly open: OpenOutlet;
  readonly requests: readonly JsonRpcRequest[];
}

/**
 * The session's calls, from a POST's messages to their answers. One for each session and isolate; its server is
 * started by the first message that needs it.
 */
export class Dispatch<Env> {
  readonly #side: ServingSide<Env>;
  readonly #phase = new Phase();
  readonly #standalone: Standalone;
  readonly #journal: Journal;
  /** Undefined where nobody listens. */
  readonly #watch: CallWatch | undefined;
  readonly #waker: Waker;
  readonly #exchanges: Exchanges;
  /** What an earlier isolate left: nothing where the session began in this one. */
  #interrupted: Interrupted | undefined;
  #hasBegun = false;

  constructor(side: ServingSide<Env>) {
    const { id, store, settings } = side.options;
    const phase = this.#phase;
    this.#side = side;
    const standalone = new Standalone(side, phase);
    const journal = createJournal(store, settings);
    const watch = watchCalls(settings, sessionOrigin(id, side.lifecycle, phase));
    this.#standalone = standalone;
    this.#journal = journal;
    this.#watch = watch;
    this.#waker = new Waker(new Starter(side, { watch, phase, journal, standalone }));
    this.#exchanges = new Exchanges(side, standalone);
  }

  /** Number of requests in flight. */
  inFlight(): number {
    return this.#waker.instance()?.calls.size() ?? 0;
  }

  /** What they are. */
  calls(): CallDetail[] {
    return this.#waker.instance()?.calls.inFlight() ?? [];
  }

  /** When the first request in flight will have run for too long. */
  due(): number | undefined {
    return this.#waker.instance()?.calls.due();
  }

  /** Ends the requests that have. */
  expire(): void {
    this.#waker.instance()?.expire(this.#side.options.now());
  }

  /** True while a server is being built: requests wait for it. */
  isStarting(): boolean {
    return this.#waker.isStarting();
  }

  /** Starts the server of a session that is taken up again; rejects where it refuses. */
  revive(row: SessionRow): Promise<unknown> {
    return this.#waker.wake(row);
  }

  /** Hands an `initialize` to a new server; the session exists once the server has accepted it. */
  async open(call: Call): Promise<Outcomes> {
    this.close();
    this.#phase.begin(call);
    try {
      const reply = await openWith(call, {
        side: this.#side,
        waker: this.#waker,
        standalone: this.#standalone,
      });
      return reply.kind === "json" ? { ...reply, opened: this.#phase.isAccepted() } : reply;
    } catch (error) {
      return notStarted(error);
    } finally {
      // By a key another may have come meanwhile, which has ended this one: all that is here is the other's.
      if (this.#phase.opening() === call) this.#opensNoMore();
    }
  }

  /** Hands a POST's messages to the server. */
  run(call: Call, open: OpenOutlet): Outcomes | Promise<Outcomes> {
    const server = this.#waker.instance();
    const posted = { call, open, requests: call.payload.messages.filter(isRequest) };
    return server === undefined ? this.#wakeAndRun(posted) : this.#runOn(server, posted);
  }

  /** Tells that requests were turned away, where somebody listens. */
  turnedAway({ payload, caller: { principal } }: Call): void {
    if (this.#watch === undefined) return;
    const isOwn = this.#side.lifecycle.live()?.principal === (principal ?? null);
    // Of somebody else's session nothing is told under a stranger's name.
    const stranger = { principal: principal && markOfText(principal), client: undefined };
    const known = isOwn ? {} : { ...stranger, clientVersion: undefined };
    for (const request of payload.messages.filter(isRequest)) this.#watch.over(request, "refused", known);
  }

  /** Once in an isolate: answers what an earlier one left unanswered, but for what may run again. */
  settleInterrupted(): void {
    if (!this.#hasBegun) this.#lookBack().settle();
  }

  /** Runs the interrupted calls again whose answers this stream carries, for a caller who waits for them. */
  rerun(stream: number, caller: Caller): void {
    this.#interrupted?.rerun(stream, caller);
  }

  /** What a caller's token lacks for those calls, who may wait for them no further; undefined where nothing waits. */
  challengeRerun(stream: number, { authInfo }: Caller): ScopeRefusal {
    const requests = this.#interrupted?.waiting(stream) ?? [];
    const row = this.#side.lifecycle.live();
    if (requests.length === 0 || row === undefined) return undefined;
    // A server that does not start is met again, and told, where the calls are to run.
    return this.#waker.wake(row).then(
      (server) => server.challenge(requests, authInfo),
      () => undefined,
    );
  }

  /** Answers those calls instead: the one who waits is connected already, and has shown no credentials since. */
  giveUp(stream: number): void {
    this.#interrupted?.giveUp(stream);
  }

  /** Ends the server; what is in flight is answered with an error. */
  close(): void {
    this.#end((exchange) => exchange.fail(failures.sessionEnded), failures.SESSION_ENDED);
  }

  /** Ends the server as an isolate's end would, but in order; the next request starts another. */
  suspend(): void {
    this.#end((exchange) => exchange.suspend());
  }

  #end(settle: (exchange: Exchange) => void, outcome?: Outcome): void {
    this.#waker.close(settle, outcome);
    this.#phase.drop();
  }

  #opensNoMore(): void {
    const said = this.#phase.end();
    // What was built for a client that was turned away goes with it.
    if (!this.#phase.isAccepted() || this.#side.lifecycle.live() === undefined) return this.close();
    this.#hasBegun = true;
    for (const json of said) void this.#standalone.send(json);
  }

  async #wakeAndRun(posted: Posted): Promise<Outcomes> {
    const { lifecycle } = this.#side;
    let server: Instance;
    try {
      const woken = lifecycle.live();
      this.settleInterrupted();
      server = await this.#waker.wake(woken);
    } catch (error) {
      const live = lifecycle.live();
      if (live === undefined) return lifecycle.gone(posted.call.caller.principal, true);
      return this.#turnAway(notStarted(error).failure, live, posted.requests);
    }
    return this.#runOn(server, posted);
  }

  #runOn(server: Instance, posted: Posted): Outcomes | Promise<Outcomes> {
    const { call, requests } = posted;
    const lacking = server.challenge(requests, call.caller.authInfo);
    if (lacking instanceof Promise) return this.#runJudged(server, posted, lacking);
    return lacking === undefined ? this.#hand(server, posted) : { kind: "refused", failure: lacking };
  }

  async #runJudged(server: Instance, posted: Posted, judging: Promise<Lacking>): Promise<Outcomes> {
    const lacking = await judging;
    // Another server may have taken its place meanwhile: that one is asked too.
    if (this.#waker.instance() !== server) return this.run(posted.call, posted.open);
    return lacking === undefined ? this.#hand(server, posted) : { kind: "refused", failure: lacking };
  }

  /** Hands the messages on: nothing stands in their way any more but the load. */
  #hand(server: Instance, posted: Posted): Outcomes | Promise<Outcomes> {
    const { lifecycle, options } = this.#side;
    const { settings } = options;
    const { call, requests } = posted;
    const row = lifecycle.live();
    if (row === undefined) return lifecycle.gone(call.caller.principal, true);
    if (server.calls.size() + requests.length > settings.maxInFlight) {
      return this.#turnAway(failures.tooManyRequests(settings.maxInFlight), row, requests);
    }
    const exchange = requests.length === 0 ? undefined : this.#exchanges.of(row, requests, posted);
    const extra = this.#extraOf(call.caller, row, exchange);
    const began = options.now();
    for (const message of call.payload.messages) {
      if (exchange !== undefined && isRequest(message)) {
        const full = this.#journal.refuse(message, server.calls);
        if (full === undefined)
          server.request(message, exchange, extra, began + callLimit(settings, message));
        else {
          void exchange.answer(message.id, toWire(full));
          this.#watch?.over(message, "refused");
        }
      } else this.#handOther(server, message, { row, extra });
    }
    return exchange === undefined ? { kind: "accepted" } : exchange.reply();
  }

  /** Hands on what is no request. */
  #handOther(
    server: Instance,
    message: JsonRpcMessage,
    { row, extra }: { readonly row: SessionRow; readonly extra: MessageExtra },
  ): void {
    const { lifecycle, options } = this.#side;
    if (isNotification(message)) {
      const isFirst = message.method === "notifications/initialized" && row.initialized === 0;
      if (isFirst) lifecycle.update({ initialized: 1 });
      server.notify(message, extra);
    } else if (keepaliveOf(message.id) !== undefined) {
      this.#pong(row, String(message.id));
    } else if (!server.respond(message, extra)) {
      options.settings.emit("orphan.response", { session: shortId(options.id) });
    }
  }

  /** Tells the edge that sent the `ping` with this id, and no other. That one knows whether it waits for it. */
  #pong(row: SessionRow, value: string): void {
    const connectionId = keepaliveOf(value);
    for (const stream of this.#side.streamsOf(row).attached()) {
      // A link that was dialled again is named after its connection.
      const [name] = stream.outlet()?.connectionId.split(".") ?? [];
      if (name === connectionId) stream.tell(controlFrame({ type: "pong", value }));
    }
  }

  #extraOf(caller: Caller, row: SessionRow, exchange: Exchange | undefined): MessageExtra {
    return polls(row) ? createExtra(caller, exchange, this.#standalone) : createExtra(caller);
  }

  /**
   * What becomes of a POST that is turned away for load, or for a server that does not start. In HTTP+SSE an error status ends Python's and Go's clients, so its
   * requests are answered where they are listened for; that is stored, as any answer is.
   */
  #turnAway(failure: failures.Failure, row: SessionRow, requests: readonly JsonRpcRequest[]): Outcomes {
    if (row.kind !== "http+sse" || requests.length === 0) return { kind: "refused", failure };
    for (const { id } of requests) void this.#standalone.send(failures.notNowBody(failure, id));
    return { kind: "accepted", refused: failure.status };
  }

  #lookBack(): Interrupted {
    const { lifecycle, options } = this.#side;
    return (this.#interrupted ??= createInterrupted({
      sessionId: options.id,
      emit: options.settings.emit,
      watch: this.#watch,
      store: options.store,
      maxCallMs: options.settings.maxCallMs,
      now: options.now,
      isLive: () => lifecycle.live() !== undefined,
      streams: () => this.#standalone.streams(),
      run: (again) => this.#runAgain(again),
    }));
  }

  async #runAgain({ requests, caller, unfinished, stream }: Rerun): Promise<void> {
    const { lifecycle, options } = this.#side;
    const { settings } = options;
    const row = lifecycle.live();
    if (row === undefined) return;
    const server = await this.#waker.wake(row);
    if (settings.maxCallMs > 0) this.#side.by(unfinished.created + settings.maxCallMs);
    const to = unfinished.kind === "relay" ? { owed: unfinished.stream } : { stream };
    const exchange = this.#exchanges.again(row, requests, to);
    for (const request of requests) {
      const due = unfinished.created + callLimit(settings, request);
      server.request(request, exchange, this.#extraOf(caller, row, exchange), due);
    }
  }
}

/** What a token lacks. */
type Lacking = Awaited<ScopeRefusal>;

/** The server did not start: whether it is worth another try. */
function notStarted(error: unknown): Refusal {
  return { kind: "refused", failure: isPermanent(error) ? failures.broken : failures.notReady };
}
