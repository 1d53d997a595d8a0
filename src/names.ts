/** Names of what is found by who it belongs to, such as a session by its client's key. @module */

const encoder = new TextEncoder();

/**
 * The name of these parts: 64 hexadecimal digits. Others' parts cannot be chosen so as to meet it, and it tells
 * nothing of what is in it.
 */
export async function nameOfParts(...parts: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(JSON.stringify(parts)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A short mark of a text, at once: two different ones have the same once in 2^53. It keeps no secret. */
export function markOfText(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (b & 0x1fffff) + (a >>> 0)).toString(36);
}

/**
 * The name of a value in somebody's state.
 * @throws {TypeError} for what storage would not give back as it came: half a surrogate becomes U+FFFD, so that two
 * names would be one
 */
export function stateName(name: unknown): string {
  if (typeof name === "string" && name.isWellFormed()) return name;
  throw new TypeError("the name of a state's value must be a string without half surrogates");
}
