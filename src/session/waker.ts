/**
 * The user's server in this isolate: started once whoever asks for it, and anew after it was let go.
 * @module
 */
import { messageOf, shortId } from "../events.ts";
import type { Settings } from "../options.ts";
import type { Exchange } from "./exchange.ts";
import type { Instance } from "./instance.ts";
import type { SessionRow } from "./schema.ts";

export interface Waker {
  /** The server, where it is awake. */
  instance(): Instance | undefined;
  /** True while it is being built: requests wait for it. */
  isStarting(): boolean;
  /** The server; a start that failed is tried again by the next who asks. */
  wake(row: SessionRow | undefined): Promise<Instance>;
  /** Ends the server, once each exchange that is under way has been settled. */
  close(settle: (exchange: Exchange) => void): void;
}

/** @param start builds the server: a fresh one without a row, else one in the place of an earlier isolate's */
export function createWaker(
  sessionId: string,
  { emit, initializeTimeoutMs }: Settings,
  start: (row: SessionRow | undefined) => Promise<Instance>,
): Waker {
  const session = shortId(sessionId);
  let starting: Promise<Instance> | undefined;
  let instance: Instance | undefined;

  return {
    instance: () => instance,
    isStarting: () => starting !== undefined && instance === undefined,
    wake(row) {
      if (starting !== undefined) return starting;
      const mine = startWithin(start(row), initializeTimeoutMs).then(
        (started) => {
          // The session may have ended, or been opened anew, while the server was being built.
          if (starting !== mine) {
            started.close();
            throw new Error("the session was given up while its server was being built");
          }
          instance = started;
          if (row !== undefined) emit("session.rehydrated", { session });
          return started;
        },
        (error: unknown) => {
          if (starting === mine) starting = undefined;
          emit("session.start_failed", { session, message: messageOf(error) });
          throw error;
        },
      );
      starting = mine;
      return mine;
    },
    close(settle) {
      for (const exchange of instance?.exchanges() ?? []) settle(exchange);
      instance?.close();
      instance = undefined;
      starting = undefined;
    },
  };
}

/** The instance, or a rejection after `ms`; one that comes too late is closed. */
export function startWithin(started: Promise<Instance>, ms: number): Promise<Instance> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error(`the server was not ready within ${ms} ms`));
    }, ms);
    started.then(
      (instance) => {
        clearTimeout(timer);
        if (late) instance.close();
        else resolve(instance);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
