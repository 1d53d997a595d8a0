/** A session's reply that may be a stream: between the two ends of a link within one process. @module */
import type { Attach, Call, Link } from "../host.ts";
import type { OpenOutlet } from "../session/streams/outlet.ts";
import { createLink } from "./link.ts";
import type { Resident, Residents } from "./residents.ts";

/** What a reply's link needs of the host. */
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

/** Asks the session for a reply that may be a stream, for this call or attach. */
export type ReplyOf = <R extends { kind: string }>(
  resident: Resident,
  asked: Call | Attach,
  ask: (open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
) => Promise<R | { kind: "stream"; link: Link }>;

/** One for each host. What it returns rejects where the session does. */
export function createReplies({ residents, now, settled, isClosed, attempt }: RepliesOptions): ReplyOf {
  return async <R extends { kind: string }>(
    resident: Resident,
    asked: Call | Attach,
    ask: (open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
  ): Promise<R | { kind: "stream"; link: Link }> => {
    let link: Link | undefined;
    const open: OpenOutlet = (stream) => {
      const release = residents.hold(resident);
      const { session } = resident;
      const isCall = "payload" in asked;
      const connectionId = isCall ? asked.connectionId() : asked.connectionId;
      const ends = createLink(connectionId, now(), {
        settled,
        onAck(seq) {
          if (!isClosed()) session.ack(stream, connectionId, seq);
        },
        onClose(seq, reason) {
          const leave = (): void => {
            if (!isCall) return session.leave(stream, connectionId, { seq, reason });
            // As between isolates: a row for each call that was streamed would be much for what few ask for.
            session.reached(stream, connectionId, seq);
            session.leave(stream, connectionId, { reason });
          };
          if (!isClosed()) attempt(resident.usage.id, leave);
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
