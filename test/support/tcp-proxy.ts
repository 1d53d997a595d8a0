/** A network between two programs that can be made to fail. @module */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Towards the port, or back from it. */
export type Way = "there" | "back";

export interface TcpProxy {
  readonly port: number;
  /** What is held just now, as text, in the order in which it came. */
  readonly held: string;
  /** Passes everything on; what is open goes on from where it was held. */
  heal(): void;
  /**
   * Swallows what comes on new connections and holds what is under way, both ways or one: nobody hears anything. With `asked`
   * only what goes that way on a connection on which this stood in the last request.
   */
  hole(way?: Way, asked?: string): void;
  /** From now on new connections go to another port. */
  to(port: number): void;
  /**
   * Cuts in two what next goes this way on a connection on which `asked` stood in the last request: its first half
   * arrives, and the connection breaks. Resolves once that has happened.
   */
  tear(way: Way, asked: string): Promise<void>;
  /** Breaks all connections, in the middle of whatever is under way: what is held is lost. */
  cut(): void;
  /** Closes all connections in order: what is under way comes first, then the end. */
  finish(): void;
  /** Nobody listens from now on, as where a program is gone; what is open stays. */
  refuse(): void;
  /** Somebody listens again. */
  accept(): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  let holes: readonly Way[] = [];
  let holedAfter = "";
  let target = port;
  let own = 0;
  const open = new Set<Socket>();
  const held = new Map<() => void, string>();
  let tearing: { readonly way: Way; readonly asked: string; readonly done: () => void } | undefined;
  const pipe = (from: Socket, to: Socket, way: Way, last: { asked: string; isAnswered: boolean }): void => {
    let isHeld = false;
    let isOver = false;
    from.on("data", (chunk: Buffer) => {
      if (way === "there") {
        last.asked = (last.isAnswered ? "" : last.asked) + chunk.toString("latin1");
        last.isAnswered = false;
      } else last.isAnswered = true;
      if (tearing?.way === way && last.asked.includes(tearing.asked)) {
        const { done } = tearing;
        tearing = undefined;
        return void to.write(chunk.subarray(0, chunk.length / 2), () => {
          from.destroy();
          done();
        });
      }
      if (!holes.includes(way) || !last.asked.includes(holedAfter)) return void to.write(chunk);
      // In order: what is held goes first, once it is let go, and then the end, if that has come meanwhile.
      from.pause();
      isHeld = true;
      held.set(() => {
        isHeld = false;
        to.write(chunk);
        if (isOver) to.end();
        else from.resume();
      }, chunk.toString("latin1"));
    });
    const over = (): void => {
      isOver = true;
      if (!isHeld) to.destroy();
    };
    from.on("close", over);
    from.on("error", over);
  };
  let server: Server | undefined;
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server = createServer((client) => {
        const upstream = connect(target, "127.0.0.1");
        for (const socket of [client, upstream]) {
          open.add(socket);
          socket.on("close", () => open.delete(socket));
        }
        const last = { asked: "", isAnswered: false };
        pipe(client, upstream, "there", last);
        pipe(upstream, client, "back", last);
      });
      server.once("error", reject);
      server.listen(own, "127.0.0.1", resolve);
    });
  await listen();
  own = (server as unknown as { address(): AddressInfo }).address().port;
  const stop = (): void => {
    server?.close();
    server = undefined;
  };
  return {
    port: own,
    get held() {
      return [...held.values()].join("");
    },
    heal() {
      holes = [];
      const waiting = [...held.keys()];
      held.clear();
      for (const go of waiting) go();
    },
    hole(way, asked = "") {
      holes = way === undefined ? ["there", "back"] : [way];
      holedAfter = asked;
    },
    to(next) {
      target = next;
    },
    tear: (way, asked) => new Promise((done) => (tearing = { way, asked, done })),
    cut() {
      held.clear();
      for (const socket of open) socket.destroy();
    },
    finish() {
      for (const socket of open) socket.end();
    },
    refuse: stop,
    async accept() {
      if (server === undefined) await listen();
    },
    async close() {
      stop();
      for (const socket of open) socket.destroy();
    },
  };
}
