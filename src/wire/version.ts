/**
 * Versions of what passes between a Worker's isolates, and what is done with what cannot be read.
 *
 * In a gradual deployment an edge of one version meets objects of the other, for as long as both are
 * deployed. So everything says its version: a request and its reply by a header where they are a `fetch`,
 * by their first word where they are strings; a link by the request that opened it; a WebSocket's
 * attachment by a field. What says nothing is of version 0, from before there were versions.
 *
 * The rules for a change of the wire
 * - A field that is added, and may be missing, changes no version: both sides pass over what they do not know.
 * - Anything else is a new version, which is written one release after it is read: the release that reads
 *   {@link WIRE} + 1 still writes {@link WIRE}. Then two releases that follow one another always understand
 *   each other, forwards and back.
 * - A reply is of its request's version: who asked can read it, and no call that was run is lost for its answer.
 * @module
 */
import type { EventSink } from "../events.ts";

/** The version that is written. The one before is read too. */
export const WIRE = 1;

/** Says the version of a request or a reply that is a `fetch`. */
export const WIRE_HEADER = "holdfast-wire";

/** In place of a version: a reply that reads the same in all of them, which is the one to what cannot be read. */
export const READ_BY_ALL = "any";

/** What was read is of no version that this code knows, or does not fit its own. Nothing of it was acted upon. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
  /** As it says itself; NaN where that is not a number. */
  readonly version: number;

  constructor(message: string, version: number = WIRE) {
    super(message);
    this.version = version;
  }
}

/**
 * Goes on only where what was read is as the wire's table says.
 * @throws {Unreadable}
 */
export function fits(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Unreadable(`${what} is not as it should be`);
}

/**
 * Goes on only with a version that this code reads.
 * @param said the version as it was written; nothing for version 0
 * @throws {Unreadable}
 */
export function versionFrom(said: string | number | null | undefined): number {
  if (said === READ_BY_ALL) return WIRE;
  const version = Number(said ?? 0);
  if (version === WIRE || version === WIRE - 1) return version;
  throw new Unreadable(`version ${said}; this code reads ${WIRE - 1} and ${WIRE}`, version);
}

/**
 * What follows the version in a string, where this code reads that version.
 * @throws {Unreadable}
 */
export function afterVersion(message: string): string {
  const space = message.indexOf(" ");
  fits(space > 0, "the version");
  versionFrom(message.slice(0, space));
  return message.slice(space + 1);
}

/** @throws {Unreadable} for a version that this code does not read */
export function versionOf({ headers }: Request | Response): number {
  return versionFrom(headers.get(WIRE_HEADER));
}

/** The headers of a request, with the version that it is of. */
export function stamped(headers: Record<string, string> = {}): Record<string, string> {
  return { ...headers, [WIRE_HEADER]: String(WIRE) };
}

/** The reply, marked with the version of its request, or as one that is read by all. */
export function stamp(response: Response, version: number | typeof READ_BY_ALL): Response {
  if (version !== 0) response.headers.set(WIRE_HEADER, String(version));
  return response;
}

/** @throws {Unreadable} */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable("not JSON");
  }
}

/**
 * Tells the operator of something unreadable; passes anything else on.
 * @param read where it was read, and what it was
 */
export function reportUnreadable(
  emit: EventSink,
  read: { readonly at: "edge" | "session" | "hub"; readonly what: string },
  error: unknown,
): void {
  if (!(error instanceof Unreadable)) throw error;
  emit("wire.unreadable", { ...read, version: error.version, message: error.message });
}
