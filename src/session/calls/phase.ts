/**
 * How far a session's server has come in this isolate.
 *
 * ```
 * none ──begin──> opening ──end──> served <──serve── none
 *                    ^               │
 *                    └─────begin─────┘
 * ```
 *
 * - `none`: no server has run here. The next one takes over what is stored, if anything is.
 * - `opening`: a client's `initialize` is with a server made for it. There may be no row yet, so what the server sends
 *   is held, and its state is kept in memory; whoever asks for the principal asks the call. It is *accepted* once the
 *   server has said yes AND the session is stored: a client that got an id before that would hold one of nothing.
 * - `served`: a server has run. Any later one in this isolate takes over from it, even where nothing is stored.
 *
 * `end` is owed to each `begin`, however the opening comes out: without it what the server sends would be held for
 * ever, in memory, while its client waits on the standalone stream. What is held and not released goes with the server
 * that said it (`drop`): else a client that was turned away would leave its messages to the next one.
 * @module
 */
import type { Call } from "../../host.ts";

/** Which phase it is, and what ends it; see above. Begins with `none`. */
export class Phase {
  #call: Call | undefined;
  #accepted = false;
  #served = false;
  #held: string[] | undefined;

  /** The call whose `initialize` is under way. */
  opening(): Call | undefined {
    return this.#call;
  }

  /** Whether a server has been started for this session in this isolate. */
  hasServed(): boolean {
    return this.#served;
  }

  /** Whether the opening that is under way, or was last, has been accepted. */
  isAccepted(): boolean {
    return this.#accepted;
  }

  begin(call: Call): void {
    this.#call = call;
    this.#accepted = false;
  }

  /** The server has accepted the `initialize`, and the session is stored. */
  accept(): void {
    this.#accepted = true;
  }

  /** A server is started. */
  serve(): void {
    this.#served = true;
  }

  /** Keeps what the server says while the session is being opened; at any other time there is nobody left to hear it. */
  hold(json: string): void {
    if (this.#call !== undefined) (this.#held ??= []).push(json);
  }

  /** The server is no more, and what is held goes with it. */
  drop(): void {
    this.#held = undefined;
  }

  /** The opening is over; returns what is held, which is the caller's now. */
  end(): readonly string[] {
    this.#call = undefined;
    const kept = this.#held ?? [];
    this.#held = undefined;
    return kept;
  }
}
