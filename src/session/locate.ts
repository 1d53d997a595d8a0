/**
 * Which stream a client that attaches goes on with, and from where: the one that it names by its event id, else the
 * standalone stream.
 *
 * SDK v1, told 401 as it resumes a stream, signs in and comes back without its place. With the end of a token that
 * becomes of each of its streams, the standalone one among them: of those that come for that one, or for none by name, the
 * first has it, and each that follows is given a call's stream that was left with the token. To such a client it is all
 * one by which connection a message comes; it would wait for the call's answer in vain otherwise.
 * @module
 */
import { shortId } from "../log-text.ts";
import type { Attach, Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Settings } from "../options.ts";
import { parseEventId } from "../sse/event-id.ts";
import type { SessionRow } from "./store/schema.ts";
import type { Stream } from "./streams/stream.ts";
import type { Streams } from "./streams/streams.ts";

/** The session in which the place is looked for. */
export interface LocateOptions {
  /** The session's id. */
  readonly id: string;
  readonly settings: Settings;
  readonly row: SessionRow;
  readonly streams: Streams;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How long after its token's end a client may still come for a call's stream without naming it: it has to sign in. */
const FORSAKEN_MS = 60_000;

const refused = (failure: failures.Failure): Refusal => ({ kind: "refused", failure });

/** The stream, and the last event that its client has; or why there is none. */
export function locate(
  request: Attach,
  { id, settings, row, streams, now }: LocateOptions,
): { stream: Stream; after: number } | Refusal {
  const { standalone } = streams;
  const forsaken = (): { stream: Stream; after: number } | undefined => {
    const opened = request.redial || row.kind !== "streamable" ? undefined : standalone.outlet()?.openedAt;
    const left = opened === undefined ? undefined : streams.forsaken(now());
    if (opened === undefined || left === undefined || opened < left.at || left.at + FORSAKEN_MS < now())
      return undefined;
    const { stream } = left;
    return { stream, after: stream.neededAfter() ?? stream.resumePoint() };
  };
  if (request.lastEventId === undefined) {
    return forsaken() ?? { stream: standalone, after: standalone.resumePoint() };
  }
  const cursor = parseEventId(request.lastEventId);
  const foreign = cursor?.session !== (row.kind === "http+sse" ? id : undefined);
  if (cursor === undefined || foreign) return refused(failures.unknownEventId);
  const stream = cursor.stream === standalone.id ? standalone : streams.find(cursor.stream);
  if (stream === undefined || cursor.seq > stream.log.last()) return refused(failures.unknownEventId);
  const instead = stream === standalone ? forsaken() : undefined;
  if (instead !== undefined) return instead;
  if (settings.onGap === "404" && cursor.seq < stream.log.trimmed()) {
    settings.emit("replay.gap", { session: shortId(id), missed: stream.log.trimmed() - cursor.seq });
    return refused(failures.sessionNotFound);
  }
  // An edge that dials again is told on its link instead: it still holds the client's connection.
  if (stream.isComplete() && cursor.seq === stream.log.last() && !request.redial) {
    return refused(failures.nothingLeft);
  }
  return { stream, after: cursor.seq };
}
