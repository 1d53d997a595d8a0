/** The load generator, from the side of whoever measures. @module */
import { fork } from "node:child_process";

/** One measurement: the same call again and again, one at a time on each connection. */
export interface Load {
  readonly url: string;
  /** Ids of open sessions; each connection goes round its share of them. */
  readonly sessions: readonly string[];
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** The JSON-RPC request, without its id. */
  readonly body: object;
  /** Text that each answer must hold. */
  readonly expects: string;
  /** The protocol version of the sessions. */
  readonly version: string;
}

export interface LoadResult {
  readonly callsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly calls: number;
  /** With those of the warm-up. */
  readonly allCalls: number;
  readonly failures: number;
  readonly lastFailure: string;
  /** Share of one core that the generator itself took. Near 1 it, and not the server, is the limit. */
  readonly generatorCpu: number;
  readonly sessions: number;
}

export interface LoadGenerator {
  run(load: Load): Promise<LoadResult>;
  close(): void;
}

export function startLoadGenerator(): LoadGenerator {
  const child = fork(new URL("load-child.ts", import.meta.url));
  return {
    run: (load) =>
      new Promise((resolve, reject) => {
        const ended = (): void => reject(new Error("the load generator ended"));
        child.once("exit", ended);
        child.once("message", (message) => {
          child.off("exit", ended);
          const result = message as LoadResult & { error?: string };
          if (result.error === undefined) resolve(result);
          else reject(new Error(result.error));
        });
        child.send(load);
      }),
    close: () => void child.kill(),
  };
}
