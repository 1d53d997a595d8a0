/** Replies of a session that may be streams, and the links that they take: each frame through the gate. @module */
import type { Link, Refusal } from "../host.ts";
import type { Resident } from "../local/residents.ts";
import type { Left } from "../session/contract.ts";
import type { OpenOutlet } from "../session/streams/outlet.ts";
import { createGatedLink, type GatedLink, type OwnerLink } from "./link.ts";
import type { Owned } from "./owned.ts";

/** Where a stream's link comes from and goes to. */
export interface StreamingLink {
  /** Where an edge dials from whose link breaks before its first chunk. */
  readonly at: (stream: number) => Link["at"];
  readonly connectionId: () => string;
  /** The edge is in another process. */
  readonly isForwarded: boolean;
  readonly onLeave: (resident: Resident, stream: number, left: Left) => void;
}

/** What of the tenure a reply goes through. */
export interface StreamingOptions {
  /** Answers with what the session answers, once that may leave. */
  readonly answer: <R extends { kind: string }>(
    owned: Owned,
    ask: (resident: Resident) => Promise<R>,
  ) => Promise<R | Refusal>;
  readonly hold: (resident: Resident) => () => void;
  /** See `Gate.settled`. */
  readonly settled: (key: number, action: () => void) => void;
  readonly now: () => number;
  /** True once nothing may reach a session any more. */
  readonly isOver: () => boolean;
  /** Runs what nobody waits for. */
  readonly attempt: (id: string, body: () => void) => void;
}

/** All links of a tenure. */
export interface Streaming {
  /** Asks the session for a reply that may be a stream. */
  reply<R extends { kind: string }>(
    owned: Owned,
    link: StreamingLink,
    ask: (resident: Resident, open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
  ): Promise<R | Refusal | { kind: "stream"; link: OwnerLink }>;
  /** Nothing comes of any link any more. */
  breakAll(): void;
}

/** No link is open yet. */
export function createStreaming(options: StreamingOptions): Streaming {
  const { answer, hold, settled, now, isOver, attempt } = options;
  const links = new Set<GatedLink>();

  return {
    async reply<R extends { kind: string }>(
      owned: Owned,
      { at, connectionId, isForwarded, onLeave }: StreamingLink,
      ask: (resident: Resident, open: OpenOutlet) => Promise<R | { kind: "streaming" }>,
    ): Promise<R | Refusal | { kind: "stream"; link: OwnerLink }> {
      let opened: GatedLink | undefined;
      const openFor =
        (resident: Resident): OpenOutlet =>
        (stream) => {
          const leave = hold(resident);
          const ends = createGatedLink({
            at: at(stream),
            connectionId: connectionId(),
            openedAt: now(),
            isForwarded,
            settled: (action) => settled(owned.key, action),
            onAck(seq) {
              if (!isOver()) resident.session.ack(stream, connectionId(), seq);
            },
            onClose(left) {
              links.delete(ends);
              if (!isOver()) attempt(owned.id, () => onLeave(resident, stream, left));
              leave();
            },
          });
          links.add(ends);
          opened = ends;
          return ends.outlet;
        };
      let isTaken = false;
      try {
        const reply = await answer(owned, (resident) => ask(resident, openFor(resident)));
        if (reply.kind !== "streaming") return reply as R;
        if (opened === undefined) throw new Error("the session streams on no link");
        isTaken = true;
        return { kind: "stream", link: (opened as GatedLink).link };
      } finally {
        // Refused since nothing could be stored, or failed: nobody will read it.
        if (!isTaken) (opened as GatedLink | undefined)?.link.lose();
      }
    },
    breakAll() {
      for (const link of links) link.break();
    },
  };
}
