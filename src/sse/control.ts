/**
 * Control frames: how the session speaks to the edge that holds a client's connection, among the
 * events that it passes on. They are SSE comments that start with `:!`, so that one that slipped
 * through would still be invisible to a client.
 * @module
 */
import { type DisconnectReason, isDisconnectReason } from "../events.ts";
import { parseEventId } from "./event-id.ts";
import { singleLine } from "./frames.ts";

/** What a control frame says. */
export type Control =
  /** The stream's place as the link opens: where to dial again from, before any event came by. */
  | { readonly type: "at"; readonly value: string }
  /** The link ends here, on purpose. Without this frame it broke. */
  | { readonly type: "end"; readonly value: DisconnectReason }
  /** The client answered the JSON-RPC `ping` with this id (keepalive mode `jsonrpc`). */
  | { readonly type: "pong"; readonly value: string };

const MARK = ":!";

/** @throws {TypeError} where the value could break out of its frame */
export function controlFrame(control: Control): string {
  return `${MARK}${control.type} ${singleLine("control", control.value)}\n\n`;
}

/**
 * Reads a frame as a control frame; undefined for a client's frame, `unknown` for a control frame that
 * says nothing this version knows. Such a one is for nobody: it may come from a newer version, next to
 * this one while a deploy is under way.
 */
export function parseControl(frame: Uint8Array): Control | "unknown" | undefined {
  if (frame[0] !== 0x3a || frame[1] !== 0x21) return undefined;
  const [, type, value = ""] =
    /^(\w+) ([^\r\n\0]*)\n\n$/.exec(new TextDecoder().decode(frame).slice(MARK.length)) ?? [];
  switch (type) {
    case "at":
      return parseEventId(value) === undefined ? "unknown" : { type, value };
    case "end":
      // An end for a reason that only a newer version knows is an end all the same, after which the client may come back.
      return { type, value: isDisconnectReason(value) ? value : "closed" };
    case "pong":
      return keepaliveOf(value) === undefined ? "unknown" : { type, value };
    default:
      return "unknown";
  }
}

/** The id of a connection's `n`th keepalive `ping`. */
export function keepaliveId(connectionId: string, n: number): string {
  return `keepalive.${connectionId}.${n}`;
}

/**
 * The connection whose keepalive `ping` has this id: its answer is for that connection's edge, not for the
 * server. Undefined for any other id, whatever it begins with.
 */
export function keepaliveOf(id: unknown): string | undefined {
  return typeof id === "string" ? /^keepalive\.([A-Za-z0-9-]{1,64})\.\d{1,15}$/.exec(id)?.[1] : undefined;
}

/**
 * Reads what the edge says as it closes a WebSocket: why, and the last event the client was handed. Each is
 * undefined where it was not said, or cannot be meant: a socket that breaks closes with words of the runtime's.
 */
export function parseClose(text: string): {
  reason: DisconnectReason | undefined;
  seq: number | undefined;
} {
  const [reason, seq] = text.split(" ");
  return isDisconnectReason(reason) ? { reason, seq: parseSeq(seq) } : { reason: undefined, seq: undefined };
}

/** Reads how far a client was handed its events: a whole number from 0. */
export function parseSeq(text: string | undefined): number | undefined {
  const seq = /^\d{1,16}$/.test(text ?? "") ? Number(text) : undefined;
  return Number.isSafeInteger(seq) ? seq : undefined;
}
