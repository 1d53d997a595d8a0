/**
 * Control frames: how the session speaks to the edge that holds a client's connection, among the
 * events that it passes on. They are SSE comments that start with `:!`, so that one that slipped
 * through would still be invisible to a client.
 * @module
 */
import type { DisconnectReason } from "../events.ts";

export type Control =
  /** The stream's place as the link opens: where to dial again from, before any event came by. */
  | { readonly type: "at"; readonly value: string }
  /** The link ends here, on purpose. Without this frame it broke. */
  | { readonly type: "end"; readonly value: DisconnectReason }
  /** The client answered the JSON-RPC `ping` with this id (keepalive mode `jsonrpc`). */
  | { readonly type: "pong"; readonly value: string };

const MARK = ":!";

export function controlFrame(control: Control): string {
  return `${MARK}${control.type} ${control.value}\n\n`;
}

/** Reads a frame as a control frame; undefined for any other frame. */
export function parseControl(frame: Uint8Array): Control | undefined {
  if (frame[0] !== 0x3a || frame[1] !== 0x21) return undefined;
  const text = new TextDecoder().decode(frame).slice(MARK.length).trimEnd();
  const space = text.indexOf(" ");
  return { type: text.slice(0, space), value: text.slice(space + 1) } as Control;
}

/** Prefix of the ids of the JSON-RPC `ping`s that an edge sends as keepalives. */
const KEEPALIVE = "keepalive.";

/** The id of a connection's `n`th keepalive `ping`. */
export function keepaliveId(connectionId: string, n: number): string {
  return `${KEEPALIVE}${connectionId}.${n}`;
}

/** True for the id of a keepalive `ping`: its answer is for the edge, not for the server. */
export function isKeepaliveId(id: unknown): boolean {
  return typeof id === "string" && id.startsWith(KEEPALIVE);
}
