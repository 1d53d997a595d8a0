/** What statements for Postgres have in common. @module */

/** Milliseconds since 1970 by the database's clock. */
export const NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::float8";

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
