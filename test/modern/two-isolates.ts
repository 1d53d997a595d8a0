/** Two services on one hub, each an isolate of its own: what tests of the hub share. @module */
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { inspectHub } from "../support/back-door.ts";
import { call, listen, type Listening } from "../support/modern.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

export interface TwoIsolates {
  /** Its `urls` are those of the two isolates. */
  readonly server: Pick<Workerd, "urls" | "restart">;
  /** Listens to a resource until the test has ended. */
  open(url: string, uri: string): Promise<Listening>;
  /** What both have logged so far, of one type. */
  logged(type: string): { type: string; [field: string]: unknown }[];
}

/** One server for all tests of the file. After each of them no link to the hub is left. */
export function twoIsolates(): TwoIsolates {
  let server: Workerd | undefined;
  const opened: Listening[] = [];
  const running = (): Workerd => {
    if (server === undefined) throw new Error("the server runs only while the tests do");
    return server;
  };

  beforeAll(async () => {
    server = await startWorkerd({
      services: 2,
      // A client that has left is seen when something is written to it.
      vars: { HOLDFAST_LOG_LEVEL: "debug", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" },
    });
  });
  afterAll(() => server?.close());
  afterEach(async () => {
    for (const stream of opened.splice(0)) stream.leave();
    await eventually(async () => expect((await inspectHub(running().url)).sockets).toBe(0));
  });

  return {
    server: {
      get urls() {
        return running().urls;
      },
      restart: () => running().restart(),
    },
    async open(url, uri) {
      const stream = await listen(url, { resourceSubscriptions: [uri] });
      opened.push(stream);
      return stream;
    },
    logged: (type) =>
      running()
        .events()
        .filter((event) => event.type === type),
  };
}

let lastUri = 0;
/** A resource that no other test of the file uses. */
export function freshUri(): string {
  return `test://hub/${++lastUri}`;
}

/** Publishes numbered changes of a resource by calls of a tool, so many each. */
export async function publish(
  url: string,
  uri: string,
  from: number,
  to: number,
  each: number = to - from + 1,
): Promise<void> {
  for (let n = from; n <= to; n += each) {
    const last = Math.min(to, n + each - 1);
    expect(await call(url, "publish", { uri, from: n, to: last })).toBe("published");
  }
}

/** The numbers of the next changes that a stream brings. */
export async function numbers(stream: Listening, count: number): Promise<unknown[]> {
  return (await stream.messages(count)).map(({ params }) => params?.["n"]);
}
