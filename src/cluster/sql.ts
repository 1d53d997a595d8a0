/** What statements for Postgres have in common. @module */

/** Milliseconds since 1970 by the database's clock. */
export const NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::float8";

/**
 * When the statement began, as alarms are stored: of that type, and of one value for the whole statement, or their index could not
 * be used, and each look would read all that sleep.
 */
export const BEGUN = "(extract(epoch FROM now()) * 1000)::bigint";

/** A text of Postgres holds no U+0000: it and the backslash that stands for it are escaped. */
export function kept(text: string): string {
  return /[\0\\]/.test(text) ? text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0") : text;
}

/** The text as it was before {@link kept}. */
export function given(text: string): string {
  return text.includes("\\")
    ? text.replace(/\\(0|\\)/g, (_, what: string) => (what === "0" ? "\0" : "\\"))
    : text;
}
