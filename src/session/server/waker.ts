/**
 * The user's server in this isolate: started once whoever asks for it, and anew after it was let go or has
 * ended by itself.
 * @module
 */
import { messageOf, type Outcome, shortId } from "../../events.ts";
import type { Settings } from "../../options.ts";
import type { Exchange } from "./reply.ts";
import { inTime } from "../../within.ts";
import type { Instance } from "./instance.ts";
import type { SessionRow } from "../store/schema.ts";

/** The one server that the session has in this isolate, or will have as soon as it is asked for. */
export interface Waker {
  /** The server, where it is awake. */
  instance(): Instance | undefined;
  /** True while it is being built: requests wait for it. */
  isStarting(): boolean;
  /** The server; a start that failed is tried again by the next who asks. */
  wake(row: SessionRow | undefined): Promise<Instance>;
  /** Ends the server, once each exchange that is under way has been settled, by which its calls end as `outcome` says. */
  close(settle: (exchange: Exchange) => void, outcome?: Outcome): void;
}

/** How a server is started. */
export interface WakerOptions {
  readonly sessionId: string;
  readonly settings: Settings;
  /**
   * Starts a server: a fresh one without a row, else one for that session; `rehydrated` where it takes an earlier
   * one's place. It calls `onClosed` when it ends without having been told to.
   */
  readonly start: (
    row: SessionRow | undefined,
    onClosed: () => void,
  ) => { readonly instance: Instance; readonly rehydrated: boolean };
}

interface Current {
  readonly instance: Instance;
  readonly awake: Promise<Instance>;
  isAwake: boolean;
}

/** Says what went wrong with a server's start. */
export function startFailed({ emit }: Settings, sessionId: string, error: unknown): void {
  emit("session.start_failed", {
    session: shortId(sessionId),
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
}

/** Starts nothing before the first message needs it. */
export function createWaker({ sessionId, settings, start }: WakerOptions): Waker {
  const { emit, initializeTimeoutMs } = settings;
  let current: Current | undefined;

  return {
    instance: () => (current?.isAwake ? current.instance : undefined),
    isStarting: () => current?.isAwake === false,
    wake(row) {
      if (current !== undefined) return current.awake;
      const isMine = (): boolean => current === mine;
      const { instance, rehydrated } = start(row, () => {
        // One that ends while it is being started has failed to start.
        if (isMine() && mine.isAwake) current = undefined;
      });
      const late = (): Error => new Error(`the server was not ready within ${initializeTimeoutMs} ms`);
      const awake = inTime(instance.ready, initializeTimeoutMs, late).then(
        () => {
          // The session may have ended, or been opened anew, while the server was being built.
          if (!isMine()) throw new Error("the session was given up while its server was being built");
          mine.isAwake = true;
          if (rehydrated) emit("session.rehydrated", { session: shortId(sessionId) });
          return instance;
        },
        (error: unknown) => {
          instance.close(() => {});
          if (isMine()) {
            current = undefined;
            startFailed(settings, sessionId, error);
          }
          throw error;
        },
      );
      const mine: Current = { instance, awake, isAwake: false };
      current = mine;
      return awake;
    },
    close(settle, outcome) {
      const ended = current;
      current = undefined;
      ended?.instance.close(settle, outcome);
    },
  };
}
