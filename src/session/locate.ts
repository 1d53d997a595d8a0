/** Which stream a client that attaches goes on with, and from where. @module */
import { shortId } from "../events.ts";
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
}

const refused = (failure: failures.Failure): Refusal => ({ kind: "refused", failure });

/** The stream, and the last event that its client has; or why there is none. */
export function locate(
  request: Attach,
  { id, settings, row, streams }: LocateOptions,
): { stream: Stream; after: number } | Refusal {
  const { standalone } = streams;
  if (request.lastEventId === undefined) return { stream: standalone, after: standalone.resumePoint() };
  const cursor = parseEventId(request.lastEventId);
  const foreign = cursor?.session !== (row.kind === "http+sse" ? id : undefined);
  if (cursor === undefined || foreign) return refused(failures.unknownEventId);
  const stream = cursor.stream === standalone.id ? standalone : streams.find(cursor.stream);
  if (stream === undefined || cursor.seq > stream.log.last()) return refused(failures.unknownEventId);
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
