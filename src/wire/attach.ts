/** An attach as it crosses to where its session is: an envelope. @module */
import type { Attach } from "../host.ts";
import { isTransport, keyedIn, pack, quirksIn, unpack } from "./call.ts";
import { fits } from "./version.ts";

/** As a body, or wherever else a text has place. */
export function encodeAttachBody(attach: Attach): string {
  return pack(attach);
}

/**
 * An attach as it stands in an envelope.
 * @throws {Unreadable}
 */
export function decodeAttachBody(json: string): Attach {
  const envelope = unpack(json);
  const { opens, transport, connectionId, lastEventId, redial, notesPlace } = envelope;
  keyedIn(envelope);
  quirksIn(envelope);
  fits(typeof opens === "boolean" && isTransport(transport) && typeof redial === "boolean", "the attach");
  fits(typeof connectionId === "string", "the connection");
  fits(lastEventId === undefined || typeof lastEventId === "string", "the last event's id");
  fits(notesPlace === undefined || typeof notesPlace === "boolean", "notesPlace");
  return envelope as unknown as Attach;
}
