/** What an earlier isolate of the session left unanswered, with the server and the streams of this one. @module */
import type { Caller } from "../../host.ts";
import type { CallWatch } from "../../watch.ts";
import type { ScopeRefusal } from "../server/scopes.ts";
import type { Waker } from "../server/waker.ts";
import { callLimit, type Exchanges } from "./exchanges.ts";
import { createInterrupted, type Interrupted, type Rerun } from "./interrupted.ts";
import type { SessionSide } from "./side.ts";
import type { Standalone } from "./standalone.ts";

/** What those calls are ended, or run again, with. */
export interface EarlierParts {
  readonly side: SessionSide;
  /** Undefined where nobody listens. */
  readonly watch: CallWatch | undefined;
  readonly waker: Waker;
  readonly exchanges: Exchanges;
  readonly standalone: Standalone;
}

/** The calls that an earlier isolate left. Nothing is looked for where the session began in this one. */
export class EarlierCalls {
  readonly #parts: EarlierParts;
  #interrupted: Interrupted | undefined;
  #hasBegun = false;

  constructor(parts: EarlierParts) {
    this.#parts = parts;
  }

  /** The session begins in this isolate. */
  none(): void {
    this.#hasBegun = true;
  }

  /** Once in an isolate: answers what cannot run again. */
  settle(): void {
    if (!this.#hasBegun) this.#lookBack().settle();
  }

  /** Runs those again whose answers this stream carries, for a caller who waits for them. */
  rerun(stream: number, caller: Caller): void {
    this.#interrupted?.rerun(stream, caller);
  }

  /** What a caller's token lacks for those calls, who may wait for them no further; undefined where nothing waits. */
  challenge(stream: number, { authInfo }: Caller): ScopeRefusal {
    const { side, waker } = this.#parts;
    const requests = this.#interrupted?.waiting(stream) ?? [];
    const row = side.lifecycle.live();
    if (requests.length === 0 || row === undefined) return undefined;
    // A server that does not start is met again, and told, where the calls are to run.
    return waker.wake(row).then(
      (server) => server.challenge(requests, authInfo),
      () => undefined,
    );
  }

  /** Answers those calls instead: the one who waits is connected already, and has shown no credentials since. */
  giveUp(stream: number): void {
    this.#interrupted?.giveUp(stream);
  }

  #lookBack(): Interrupted {
    const { side, watch, standalone } = this.#parts;
    const { id, store, settings, now } = side.options;
    return (this.#interrupted ??= createInterrupted({
      sessionId: id,
      emit: settings.emit,
      watch,
      store,
      maxCallMs: settings.maxCallMs,
      now,
      isLive: () => side.lifecycle.live() !== undefined,
      streams: () => standalone.streams(),
      run: (again) => this.#run(again),
    }));
  }

  async #run({ requests, caller, unfinished, stream }: Rerun): Promise<void> {
    const { side, waker, exchanges, standalone } = this.#parts;
    const { settings } = side.options;
    const row = side.lifecycle.live();
    if (row === undefined) return;
    const server = await waker.wake(row);
    if (settings.maxCallMs > 0) side.by(unfinished.created + settings.maxCallMs);
    const to = unfinished.kind === "relay" ? { owed: unfinished.stream } : { stream };
    const exchange = exchanges.again(row, requests, to);
    for (const request of requests) {
      const due = unfinished.created + callLimit(settings, request);
      server.request(request, exchange, standalone.extraFor(caller, row, exchange), due);
    }
  }
}
