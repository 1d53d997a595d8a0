/**
 * The standalone stream as calls use it. While the session is being opened there is none: what the server says then is
 * held until the session is there.
 * @module
 */
import type { Caller } from "../../host.ts";
import { createExtra, polls } from "../server/extra.ts";
import type { Exchange } from "../server/reply.ts";
import type { MessageExtra } from "../server/transport.ts";
import type { SessionRow } from "../store/schema.ts";
import type { Streams } from "../streams/streams.ts";
import type { Phase } from "./phase.ts";
import type { SessionSide } from "./side.ts";

/** The way to the session's standalone stream. */
export class Standalone {
  readonly #side: SessionSide;
  readonly #phase: Phase;

  constructor(side: SessionSide, phase: Phase) {
    this.#side = side;
    this.#phase = phase;
  }

  /** All streams of the session; undefined where it is not live. */
  streams(): Streams | undefined {
    const row = this.#side.lifecycle.live();
    return row && this.#side.streamsOf(row);
  }

  /** Sends a message; `answers` as in `Stream.emit`. */
  send(json: string, answers: string | null = null): Promise<void> {
    const held = this.#phase.opening() === undefined ? this.streams() : undefined;
    if (held !== undefined) {
      const { now, settings } = this.#side.options;
      this.#side.by(now() + settings.messageTtlMs);
      return held.standalone.emit(json, answers);
    }
    this.#phase.hold(json);
    return Promise.resolve();
  }

  /** Says something that is kept nowhere: see `Stream.aside`. */
  aside(json: string): void {
    this.streams()?.standalone.aside(json);
  }

  /** True while a client listens. */
  hasListener(): boolean {
    return this.streams()?.standalone.outlet() !== undefined;
  }

  /** What the server is told with a message: how it closes streams too, where its client would poll for the rest. */
  extraFor(caller: Caller, row: SessionRow, exchange: Exchange | undefined): MessageExtra {
    return polls(row) ? createExtra(caller, exchange, this) : createExtra(caller);
  }

  /** Ends its connection: the client polls for the rest. */
  end(): void {
    this.streams()?.standalone.end("closed");
  }
}
