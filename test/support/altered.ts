/** Texts that no longer fit. @module */

/** A JSON text with one member of its object, by path, set to something else; undefined removes it. */
export function altered(json: string, path: string, value: unknown): string {
  const root = JSON.parse(json) as Record<string, unknown>;
  const names = path.split(".");
  let at = root;
  for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>;
  at[names.at(-1) ?? ""] = value;
  return JSON.stringify(root);
}
