/**
 * Has lists wait for the session that they ask for. A client of SDK v2 answers them itself, and with nothing,
 * as long as it does not know what the server can do: what is asked in the tick of `connect` would seem to say
 * that the server has no tools.
 * @module
 */
import type { SdkClient } from "./sdk.ts";

const LISTS = ["listTools", "listPrompts", "listResources", "listResourceTemplates"] as const;

type List = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/**
 * Runs `connecting`, and holds the client's lists until it is done. They reject with it where it fails.
 * @returns what `connecting` resolves with
 */
export async function holdLists<T>(client: SdkClient, connecting: () => Promise<T>): Promise<T> {
  const methods = client as unknown as Record<string, List | undefined>;
  let settle: (up: Promise<T>) => void = () => {};
  const up = new Promise<T>((resolve) => (settle = resolve));
  // Nobody may have asked.
  up.catch(() => undefined);
  const put = LISTS.flatMap((name) => {
    const list = methods[name];
    if (typeof list !== "function") return [];
    const isOwn = Object.hasOwn(client, name);
    const held: List = (...args) => up.then(() => list.apply(client, args));
    methods[name] = held;
    return [{ name, list, held, isOwn }];
  });
  const running = connecting();
  settle(running);
  try {
    return await running;
  } finally {
    for (const { name, list, held, isOwn } of put) {
      // The application may have put its own there meanwhile.
      if (methods[name] !== held) continue;
      if (isOwn) methods[name] = list;
      else delete methods[name];
    }
  }
}
