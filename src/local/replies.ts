/** A session's reply that may be a stream: between the two ends of a link within one process. @module */
import type { Link } from "../host.ts";
import type { OpenOutlet } from "../session/streams/outlet.ts";
import { createLink } from "./link.ts";
import type { Resident, Residents } from "./residents.ts";

export interface RepliesOptions {
  readonly residents: Residents;
  readonly now: () => number;
  /** See `Turns.settled`. */
  readonly settled: (action: (isStored: boolean) => void) => void;
  /** True once nothing may reach a session any more. */
  readonly isClosed: () => boolean;
  /** Runs what nobody waits for. */
  readonly attempt: (id: string, body: () => void) => void;
}

/** Asks the session for a reply that may be a stream; `onLeave` hears of the stream's end. */
export type ReplyOf = <R extends { kind: string }>(
  id: string,
  resident: Resident,
  connectionId: () => string,
  onLeave: (stream: number, seq: number) => void,
  ask: (open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
) => Promise<R | { kind: "stream"; link: Link }>;

export function createReplies({ residents, now, settled, isClosed, attempt }: RepliesOptions): ReplyOf {
  return async <R extends { kind: string }>(
    id: string,
    resident: Resident,
    connectionId: () => string,
    onLeave: (stream: number, seq: number) => void,
    ask: (open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
  ): Promise<R | { kind: "stream"; link: Link }> => {
    let link: Link | undefined;
    const open: OpenOutlet = (stream) => {
      const release = residents.hold(resident);
      const ends = createLink(connectionId(), now(), {
        settled,
        onAck(seq) {
          if (!isClosed()) resident.session.ack(stream, connectionId(), seq);
        },
        onClose(seq) {
          if (!isClosed()) attempt(id, () => onLeave(stream, seq));
          release();
        },
      });
      link = ends.link;
      return ends.outlet;
    };
    try {
      const reply = await ask(open);
      if (reply.kind !== "streaming") return reply as R;
      if (link === undefined) throw new Error("the session streams on no link");
      return { kind: "stream", link };
    } catch (error) {
      link?.close("lost", 0);
      throw error;
    }
  };
}
