/** workerd's inspector, as the benchmarks ask it: profiles, the heap's size. @module */

/** Commands of the inspector's protocol, one at a time or several. */
export interface Inspector {
  ask(method: string, params?: object): Promise<unknown>;
  close(): void;
}

/** Tries again for five seconds: a server that has just been started is not there at once. */
export async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Opens the inspector of the first service of a workerd that was started with `--inspector-addr`. */
export async function openInspector(port: number): Promise<Inspector> {
  const [target] = (await until(async () => (await fetch(`http://127.0.0.1:${port}/json`)).json())) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  let id = 0;
  return {
    ask: (method, params = {}) =>
      new Promise((resolve) => {
        const mine = ++id;
        const hear = ({ data }: MessageEvent): void => {
          const answer = JSON.parse(String(data)) as { id?: number; result?: unknown };
          if (answer.id !== mine) return;
          socket.removeEventListener("message", hear);
          resolve(answer.result);
        };
        socket.addEventListener("message", hear);
        socket.send(JSON.stringify({ id: mine, method, params }));
      }),
    close: () => socket.close(),
  };
}
