/** The names under which a hub keeps who wants to hear of what: short ones as they are, long ones by their hash. @module */

/** Characters up to which a name is kept as it is. */
const SHORT = 128;

/** The keys of these names, in their order. */
export function keysOf(names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map(keyOf));
}

/**
 * The name's key: the same wherever it is made. Escaped before it is hashed, because what is no well-formed
 * string (a lone surrogate) has no bytes of its own.
 */
export async function keyOf(name: string): Promise<string> {
  if (name.length <= SHORT) return name;
  const bytes = new TextEncoder().encode(JSON.stringify(name));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  // Of a form that no short name has: those begin with a kind of change.
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
