/** What may stand in a log of what others sent, threw or hold. @module */

/** The part of a session id that may appear in logs. */
export function shortId(sessionId: string): string {
  return sessionId.slice(0, 8);
}

/** Most characters of a client's own text that an event carries. */
const CLIENT_TEXT = 256;

/**
 * What a client claims, fit for a log: cut to 256 characters, control characters escaped (C1 too, which some
 * terminals obey), lone surrogates replaced.
 */
export function clientText(text: string): string;
export function clientText(text: string | undefined): string | undefined;
export function clientText(text: string | undefined): string | undefined {
  if (text === undefined || (text.length <= CLIENT_TEXT && /^[ -~]*$/.test(text))) return text;
  return text
    .slice(0, CLIENT_TEXT)
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .slice(0, CLIENT_TEXT);
}

/** An error's message, for a log line. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    // What the user's code throws need not even be printable.
    return "an error that cannot be printed";
  }
}
