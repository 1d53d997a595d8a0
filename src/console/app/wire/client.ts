/** A client of any era, as the console drives it, and what it is given to work with. @module */
import type { Era } from "./eras.ts";
import type { Json, Message, Outcome } from "./types.ts";

/** How a connection is: `Reconnecting` is on its way back, `Cut` waits to be told. */
export type Status = "Disconnected" | "Connecting" | "Connected" | "Reconnecting" | "Cut";

/** How far a call is, as its server says. */
export interface Progress {
  readonly progress: number;
  readonly total: number | undefined;
  readonly message: string | undefined;
}

/** What a request may come with. */
export interface RequestOptions {
  /** Names the request's lane in the timeline, where it is worth one. */
  readonly title?: string;
  /** Cancels the request. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** More headers: what a tool's schema says must be mirrored (2026-07-28). */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client, from the opening of its session to the end of it. */
export interface Client {
  readonly era: Era;
  /** Opens the session, or finds the stateless server; its result is that of `initialize` or `server/discover`. */
  start(): Promise<Outcome>;
  request(method: string, params?: Json, options?: RequestOptions): Promise<Outcome>;
  /** Cuts every connection, as a network would, and stays away until `resume`. */
  cut(): void;
  /** Comes back to where each stream was, or to where it was at this event. */
  resume(from?: string): void;
  /** Ends the session; also as the page goes, so it waits for nothing. */
  end(): Promise<void>;
}

/** What a client tells of itself. */
export interface ClientEnvironment {
  readonly era: Era;
  /** The mount's URL, without a slash at its end. */
  readonly base: string;
  authorization(): string;
  onStatus(status: Status): void;
  onSession(id: string | undefined): void;
  onNotification(message: Message): void;
}
