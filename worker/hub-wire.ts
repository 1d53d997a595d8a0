/**
 * The wire between the hub's object and those who publish, listen, or want to be told. Versions as in
 * `src/wire/version.ts`.
 *
 * | call      | request                                                  | replies                               |
 * | --------- | -------------------------------------------------------- | ------------------------------------- |
 * | `listen`  | GET, upgrade; `holdfast-after`: number of the last       | 101 with a link of {@link HubFrame}s, |
 * |           | change heard                                             | the first at once                     |
 * | `publish` | POST, {@link Publication} as JSON                        | 204 stored, or stored before          |
 * | `watch`   | POST, {@link WatchRequest} as JSON; from a session       | 204 · 429 the hub is full             |
 * | `forget`  | POST, {@link ForgetRequest} as JSON; from a session      | 204                                   |
 *
 * Who cannot read a request answers 503, who does not know its path 501, and nothing is done. Publishers,
 * listeners and sessions come again, as after the object's death.
 * @module
 */
import type { Change } from "../src/changes.ts";
import { isObject } from "../src/jsonrpc/messages.ts";
import { fits, parseJson } from "../src/wire/version.ts";

/** Paths of the object; the host part of the URL means nothing. */
export const HUB_PATHS = {
  listen: "https://hub/listen",
  publish: "https://hub/publish",
  watch: "https://hub/watch",
  forget: "https://hub/forget",
} as const;

/** On a WebSocket upgrade: the number of the last change that this link's isolate has heard of. */
export const AFTER_HEADER = "holdfast-after";

/** Changes on their way to the hub. */
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

/** A session that wants to be told. */
export interface WatchRequest {
  readonly session: string;
  /** Names of changes that the session is to be told of from now on. */
  readonly names: readonly string[];
  /** Those that it wants to hear nothing of any more; version 0 sends none. */
  readonly drop: readonly string[];
}

/** A session that wants to be told no more. */
export interface ForgetRequest {
  readonly session: string;
}

/** @throws {Unreadable} */
export function decodeAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const after = Number(header);
  fits(Number.isSafeInteger(after), "the number of the last change");
  return after;
}

/** @throws {Unreadable} */
export function decodePublication(json: string): Publication {
  const value = parseJson(json);
  fits(
    isObject(value) && typeof value["id"] === "string" && typeof value["again"] === "boolean",
    "the publication",
  );
  fits(areChanges(value["changes"]), "the changes");
  return value as unknown as Publication;
}

/** @throws {Unreadable} */
export function decodeWatch(json: string): WatchRequest {
  const value = parseJson(json);
  fits(
    isObject(value) && typeof value["session"] === "string" && areTexts(value["names"]),
    "the request to watch",
  );
  const { session, names, drop = [] } = value;
  fits(areTexts(drop), "the names to drop");
  return { session, names, drop } as WatchRequest;
}

/** @throws {Unreadable} */
export function decodeForget(json: string): ForgetRequest {
  const value = parseJson(json);
  fits(isObject(value) && typeof value["session"] === "string", "the request to forget");
  return value as unknown as ForgetRequest;
}

/** @throws {Unreadable} */
export function decodeFrame(data: unknown): HubFrame {
  fits(typeof data === "string", "the frame");
  const value = parseJson(data);
  fits(isObject(value) && Number.isSafeInteger(value["seq"]) && areChanges(value["changes"]), "the frame");
  return value as unknown as HubFrame;
}

/**
 * What the hub tells a session.
 * @throws {Unreadable}
 */
export function decodeChanges(json: string): Change[] {
  const value = parseJson(json);
  fits(areChanges(value), "the changes");
  return value;
}

/**
 * The names that a session wants to hear no more of.
 * @throws {Unreadable}
 */
export function decodeNames(json: string): string[] {
  const value = parseJson(json);
  fits(areTexts(value), "the names");
  return value;
}

const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/** Kinds that this code does not know are carried on: numbers count them, and others may know them. */
const areChanges = (value: unknown): value is Change[] =>
  Array.isArray(value) &&
  value.every(
    (one) =>
      isObject(one) &&
      typeof one["kind"] === "string" &&
      (one["kind"] !== "resource_updated" || typeof one["uri"] === "string") &&
      (one["kind"] !== "signal" || typeof one["name"] === "string") &&
      (one["params"] === undefined || isObject(one["params"])),
  );
