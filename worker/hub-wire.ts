/** What passes between the hub's object and those who publish, listen, or want to be told. @module */
import type { Change } from "../src/changes.ts";

/** Paths of the object; the host part of the URL means nothing. */
export const HUB_PATHS = {
  listen: "https://hub/listen",
  publish: "https://hub/publish",
  watch: "https://hub/watch",
  forget: "https://hub/forget",
} as const;

/** On a WebSocket upgrade: the number of the last change that this link's isolate has heard of. */
export const AFTER_HEADER = "holdfast-after";

export interface Publication {
  /** Names this publication, so that it counts once however often it is sent. */
  readonly id: string;
  readonly changes: readonly Change[];
  readonly again: boolean;
}

/** What the hub sends on a link: changes in order, the last of them numbered `seq`. */
export interface HubFrame {
  readonly seq: number;
  readonly changes: readonly Change[];
}

export interface WatchRequest {
  readonly session: string;
  /** Keys of names (`keyOf`) that the session is to be told of from now on. */
  readonly add: readonly string[];
  /** Keys of those that it wants to hear nothing of any more. */
  readonly drop: readonly string[];
}

export interface ForgetRequest {
  readonly session: string;
}
