/**
 * The protocol revisions with sessions, oldest first, and what differs between them on the wire.
 * Revisions are dates, so plain string comparison orders them.
 * @module
 */

/** Revisions that the session core serves. 2024-10-07 is kept because the official SDKs still negotiate it. */
export const SESSION_VERSIONS: readonly string[] = [
  "2024-10-07",
  "2024-11-05",
  "2025-03-26",
  "2025-06-18",
  "2025-11-25",
];

/** What a request without a version header speaks, where no session says it (2025-06-18, "Protocol Version Header"). */
export const UNNAMED_VERSION = "2025-03-26";

/** True where the revision has JSON-RPC batches: 2025-03-26 (basic) and before. */
export function hasBatches(version: string): boolean {
  return version <= "2025-03-26";
}

/**
 * True where a stream opens with a priming event, an id with empty data (2025-11-25, transports,
 * "Sending Messages to the Server"). Parsers of earlier clients take the empty data for a message.
 */
export function hasPriming(version: string): boolean {
  return version >= "2025-11-25";
}

/**
 * True where clients come back to a stream that ended before all was said, as servers may end one since 2025-11-25
 * (SEP-1699). Before, an end in order was the end.
 */
export function comesBack(version: string): boolean {
  return version >= "2025-11-25";
}
