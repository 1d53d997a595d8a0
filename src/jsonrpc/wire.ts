/** How a message is written, wherever one leaves: JSON that every client's parser takes. @module */

/**
 * What of `JSON.stringify`'s output some parsers cannot take. Line separators are not escaped by it, and
 * readers that split lines as Unicode does (claude.ai, java-sdk, httpx-sse before 0.4.2) cut a message there. Half
 * a surrogate pair comes out as an escape that is no character: serde and pydantic refuse the whole message.
 */
const SUSPECT = /[\u0085\u2028\u2029]|\\ud[89a-f]/i;
/** An escape as a whole, so that the second backslash of `\\` never begins one; or a line separator. */
const PARTS = /\\u[0-9a-f]{4}|\\[^u]|[\u0085\u2028\u2029]/gi;
const HALF = /^\\ud[89a-f]/i;

/**
 * A message as JSON on one line, whatever a parser takes for the end of one: U+0085, U+2028 and U+2029 are escaped,
 * and half a surrogate pair becomes U+FFFD, as it does in UTF-8.
 * @throws {TypeError} for what JSON cannot hold (a BigInt, a cycle), and whatever a `toJSON` throws
 */
export function toWire(message: object): string {
  return wellFormed(JSON.stringify(message));
}

/** The same for JSON that another has written. */
export function wellFormed(json: string): string {
  return SUSPECT.test(json) ? json.replace(PARTS, safe) : json;
}

function safe(part: string): string {
  if (part.startsWith("\\")) return HALF.test(part) ? "\\ufffd" : part;
  return `\\u${part.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
