/**
 * The user's server in this isolate: started once whoever asks for it, and anew after it was let go or has
 * ended by itself.
 * @module
 */
import { messageOf, shortId } from "../../log-text.ts";
import type { Outcome } from "../../events.ts";
import type { Settings } from "../../options.ts";
import { inTime } from "../../within.ts";
import type { SessionRow } from "../store/schema.ts";
import type { Instance } from "./instance.ts";
import type { Exchange } from "./reply.ts";

/** How a server is started. */
export interface Starting {
  readonly sessionId: string;
  readonly settings: Settings;
  /**
   * Starts a server: a fresh one without a row, else one for that session; `rehydrated` where it takes an earlier
   * one's place. It calls `onClosed` when it ends without having been told to.
   */
  start(
    row: SessionRow | undefined,
    onClosed: () => void,
  ): { readonly instance: Instance; readonly rehydrated: boolean };
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

/** The one server that the session has in this isolate, or will have as soon as it is asked for. */
export class Waker {
  readonly #starting: Starting;
  #current: Current | undefined;

  constructor(starting: Starting) {
    this.#starting = starting;
  }

  /** The server, where it is awake. */
  instance(): Instance | undefined {
    const current = this.#current;
    return current?.isAwake ? current.instance : undefined;
  }

  /** True while it is being built: requests wait for it. */
  isStarting(): boolean {
    return this.#current?.isAwake === false;
  }

  /** The server; a start that failed is tried again by the next who asks. */
  wake(row: SessionRow | undefined): Promise<Instance> {
    if (this.#current !== undefined) return this.#current.awake;
    const { sessionId, settings } = this.#starting;
    const { emit, initializeTimeoutMs } = settings;
    const isMine = (): boolean => this.#current === mine;
    const { instance, rehydrated } = this.#starting.start(row, () => {
      // One that ends while it is being started has failed to start.
      if (isMine() && mine.isAwake) this.#current = undefined;
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
        instance.end(() => {});
        if (isMine()) {
          this.#current = undefined;
          startFailed(settings, sessionId, error);
        }
        throw error;
      },
    );
    const mine: Current = { instance, awake, isAwake: false };
    this.#current = mine;
    return awake;
  }

  /** Ends the server, once each exchange that is under way has been settled, by which its calls end as `outcome` says. */
  close(settle: (exchange: Exchange) => void, outcome?: Outcome): void {
    const ended = this.#current;
    this.#current = undefined;
    ended?.instance.end(settle, outcome);
  }
}
