/**
 * Hands a POST's messages to the user's server, which is woken for it where need be.
 * @module
 */
import type { Outcome } from "../../events.ts";
import { shortId } from "../../log-text.ts";
import type { Call, Refusal } from "../../host.ts";
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
import { type Held, inRoom } from "../../room.ts";
import { isPermanent } from "../../setup.ts";
import { controlFrame, keepaliveOf } from "../../sse/control.ts";
import { type CallWatch, watchCalls } from "../../watch.ts";
import type { Instance } from "../server/instance.ts";
import { createJournal, type Journal } from "../server/journal.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import type { ScopeRefusal } from "../server/scopes.ts";
import type { MessageExtra } from "../server/transport.ts";
import { Waker } from "../server/waker.ts";
import type { SessionRow } from "../store/schema.ts";
import type { OpenOutlet } from "../streams/outlet.ts";
import { EarlierCalls } from "./earlier.ts";
import { callLimit, Exchanges } from "./exchanges.ts";
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
  /** The room that a large one takes: its exchange's from then on. */
  readonly held?: Held;
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
  /** What an earlier isolate left unanswered. */
  readonly earlier: EarlierCalls;

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
    const waker = new Waker(new Starter(side, { watch, phase, journal, standalone }));
    const exchanges = new Exchanges(side, standalone);
    this.#waker = waker;
    this.#exchanges = exchanges;
    this.earlier = new EarlierCalls({ side, watch, waker, exchanges, standalone });
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

  /** Hands a POST's messages to the server; what is large waits for its room. */
  run(call: Call, open: OpenOutlet): Outcomes | Promise<Outcomes> {
    const { weight = 0, messages } = call.payload;
    const requests = messages.filter(isRequest);
    const row = weight === 0 ? undefined : this.#side.lifecycle.live();
    const isHeld = row !== undefined && requests.length > 0;
    return isHeld
      ? this.#runHeld({ call, open, requests }, row, weight)
      : this.#run({ call, open, requests });
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
    this.earlier.none();
    for (const json of said) void this.#standalone.send(json);
  }

  #run(posted: Posted): Outcomes | Promise<Outcomes> {
    const server = this.#waker.instance();
    return server === undefined ? this.#wakeAndRun(posted) : this.#runOn(server, posted);
  }

  #runHeld(posted: Posted, row: SessionRow, weight: number): Promise<Outcomes> {
    return inRoom(this.#side.options.settings, weight, {
      full: () => this.#turnAway(failures.tooManyBodies, row, posted.requests),
      body: async (held) => this.#run({ ...posted, held }),
    });
  }

  async #wakeAndRun(posted: Posted): Promise<Outcomes> {
    const { lifecycle } = this.#side;
    let server: Instance;
    try {
      const woken = lifecycle.live();
      this.earlier.settle();
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
    if (this.#waker.instance() !== server) return this.#run(posted);
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
    if (posted.held !== undefined) posted.held.isHandedOn = true;
    const extra = this.#standalone.extraFor(call.caller, row, exchange);
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

  /**
   * What becomes of a POST that is turned away for load, or for a server that does not start. In HTTP+SSE an error status ends Python's and Go's clients, so its
   * requests are answered where they are listened for; that is stored, as any answer is.
   */
  #turnAway(failure: failures.Failure, row: SessionRow, requests: readonly JsonRpcRequest[]): Outcomes {
    if (row.kind !== "http+sse" || requests.length === 0) return { kind: "refused", failure };
    for (const { id } of requests) void this.#standalone.send(failures.notNowBody(failure, id));
    return { kind: "accepted", refused: failure.status };
  }
}

/** What a token lacks. */
type Lacking = Awaited<ScopeRefusal>;

/** The server did not start: whether it is worth another try. */
function notStarted(error: unknown): Refusal {
  return { kind: "refused", failure: isPermanent(error) ? failures.broken : failures.notReady };
}
