/** How soon whoever sends on a stream may go on: as its reader takes, and with nobody there as others get their turn. @module */
import { WINDOW } from "./attachment.ts";

/** What may be sent in one turn of the event loop while nobody reads: a server that sends on and on must let others in. */
const UNREAD_EVENTS = 32;

/** The pace of one stream. */
export class Pace {
  /** Those whose events wait for the reader. */
  #waiting: (() => void)[] | undefined;
  /** Sent since the last pause while nobody reads: events, and characters. */
  #unread = 0;
  #unreadSize = 0;

  /** Resolves once the reader has room for more, or is gone. */
  forReader(): Promise<void> {
    return new Promise((resolve) => (this.#waiting ??= []).push(resolve));
  }

  /** Nobody reads what was sent: resolves at once, and every now and then in a later turn. */
  unread(size: number): Promise<void> {
    this.#unread += 1;
    this.#unreadSize += size;
    if (this.#unread < UNREAD_EVENTS && this.#unreadSize < WINDOW) return Promise.resolve();
    this.#unread = this.#unreadSize = 0;
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Whoever waits for the reader goes on. */
  release(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const resume of waiting ?? []) resume();
  }
}
