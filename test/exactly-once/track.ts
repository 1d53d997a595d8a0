/**
 * One stream as its client has it: every connection that ever carried it, in the order they were opened,
 * and all that was read from them.
 * @module
 */
import { parseEventId } from "../../src/sse/event-id.ts";
import type { SseConnection } from "../support/sse-client.ts";

/** A message as it arrived, with its place in its stream. */
export interface Received {
  readonly stream: number;
  readonly seq: number;
  readonly data: string;
}

export interface Track {
  readonly name: string;
  readonly connections: SseConnection[];
  /** The newest that is open; where none is, the newest. */
  readonly current: SseConnection | undefined;
  /** Those that are open: two while one takes over from another that is read to its end. */
  readonly open: readonly SseConnection[];
  /** The id to resume from: the furthest read. Undefined where no frame has named one yet. */
  readonly lastEventId: string | undefined;
  /** A GET that has not been answered yet: the next step on this stream waits for it. */
  opening: Promise<void>;
  /** What was read, by connection. */
  runs(): Received[][];
}

/** A message's place in its stream. */
function placeOf(id: string | undefined): { stream: number; seq: number } {
  const cursor = id === undefined ? undefined : parseEventId(id);
  if (cursor === undefined) throw new Error(`not an event id of ours: ${id}`);
  return cursor;
}

export function createTrack(name: string): Track {
  const connections: SseConnection[] = [];
  const isOpen = ({ state }: SseConnection): boolean => state === "open";
  return {
    name,
    connections,
    opening: Promise.resolve(),
    get current() {
      return connections.findLast(isOpen) ?? connections.at(-1);
    },
    get open() {
      return connections.filter(isOpen);
    },
    get lastEventId() {
      const ids = connections.map(({ lastEventId }) => lastEventId).filter((id) => id !== undefined);
      return ids.sort((a, b) => placeOf(a).seq - placeOf(b).seq).at(-1);
    },
    runs: () =>
      connections.map(({ messages }) =>
        messages
          // Priming events say where the stream stands and carry nothing.
          .filter(({ data }) => data !== "")
          .map(({ id, data }) => ({ ...placeOf(id), data })),
      ),
  };
}
