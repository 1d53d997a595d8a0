/**
 * Where a stream's frames leave the session: its end of the link that the edge reads.
 * @module
 */
import type { DisconnectReason } from "../../events.ts";

/** The session's end of a link. */
export interface Outlet {
  readonly connectionId: string;
  readonly openedAt: number;
  /** Sends whole frames; `place` is where the connection stands after them. */
  send(frames: string, place: number): void;
  /** Ends the link on purpose. */
  end(reason: DisconnectReason): void;
  /** When the edge at the other end was last known to be alive; undefined where its end is seen at once. */
  lastSeen?(): number;
  /** True where only a write tells that the edge is gone, and it cannot be asked. */
  readonly isBlind?: boolean;
  /**
   * Of what was acknowledged, how much the client has whatever dies next; all of it where this is not there. Asked whenever
   * that is noted.
   */
  surely?(acked: number): number;
  /** As the client's `Attach` said, for a connection that outlives the isolate. */
  readonly notesPlace?: boolean | undefined;
}

/** Opens the session's end of the link that the edge will read, for the stream of this number. */
export type OpenOutlet = (stream: number) => Outlet;
