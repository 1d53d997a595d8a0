/** A network between two programs that can be made to fail. @module */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Passes everything on; what is open goes on from where it was held. */
  heal(): void;
  /** Swallows what comes on new connections and holds what is under way: nobody hears anything. */
  hole(): void;
  /** From now on new connections go to another port. */
  to(port: number): void;
  /** Breaks all connections, in the middle of whatever is under way. */
  cut(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  let isHole = false;
  let target = port;
  const open = new Set<Socket>();
  const held = new Set<() => void>();
  const pipe = (from: Socket, to: Socket): void => {
    from.on("data", (chunk: Buffer) => {
      if (!isHole) return void to.write(chunk);
      // In order: what is held goes first, once it is let go.
      from.pause();
      held.add(() => {
        to.write(chunk);
        from.resume();
      });
    });
    from.on("close", () => to.destroy());
    from.on("error", () => to.destroy());
  };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
    }
    pipe(client, upstream);
    pipe(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heal() {
      isHole = false;
      const waiting = [...held];
      held.clear();
      for (const go of waiting) go();
    },
    hole() {
      isHole = true;
    },
    to(next) {
      target = next;
    },
    cut() {
      for (const socket of open) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
