/** The world outside of a call: what its tool does there is counted, and it can be held at each of its steps. @module */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { within } from "./wait.ts";

/** Where the tools of `stepped-tools.ts` tell how far they are. */
export type Step = "before" | "ran" | "running";

/** One call, as it is seen from outside. */
export interface Watched {
  /** What the tool is to be given as `at`. */
  readonly at: string;
  /** How often the tool has run: what it did outside cannot be taken back. */
  readonly runs: number;
  /** Holds the call as it comes to this step; the next one of them, where it runs again, goes on. */
  hold(step: Step): void;
  /** Resolves once it is held. */
  held(): Promise<void>;
  /** Lets it go on. */
  release(): void;
}

export interface Outside {
  watch(): Watched;
  close(): Promise<void>;
}

interface Seen {
  runs: number;
  hold: Step | undefined;
  arrived: PromiseWithResolvers<void>;
  released: PromiseWithResolvers<void>;
}

export async function startOutside(): Promise<Outside> {
  const calls = new Map<string, Seen>();
  const server = createServer((request, response) => {
    const [, name = "", step = ""] = request.url?.split("/") ?? [];
    const seen = calls.get(name);
    if (step === "ran" && seen !== undefined) seen.runs += 1;
    if (seen?.hold !== step) return void response.end();
    seen.hold = undefined;
    seen.arrived.resolve();
    void seen.released.promise.then(() => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    watch() {
      const name = crypto.randomUUID();
      const seen: Seen = {
        runs: 0,
        hold: undefined,
        arrived: Promise.withResolvers(),
        released: Promise.withResolvers(),
      };
      calls.set(name, seen);
      return {
        at: `http://127.0.0.1:${port}/${name}`,
        get runs() {
          return seen.runs;
        },
        hold: (step) => void (seen.hold = step),
        held: () => within(seen.arrived.promise, "the step"),
        release: () => seen.released.resolve(),
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
