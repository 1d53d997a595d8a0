/**
 * Holds back what a client sends before its session is up: an SDK client may be used as soon as it has
 * a transport, and a server turns away requests that come before the handshake.
 * @module
 */
import type { SdkTransport } from "./sdk.ts";

/** What a client's messages pass on their way out. */
export interface Gate {
  /** Sends what was held back, in order, and holds back nothing from now on. */
  open(): void;
  /** Rejects what was held back, and holds back nothing from now on. */
  fail(error: unknown): void;
}

/** Requests that are part of coming up. Listening is: SDK v2 awaits it inside `connect`. */
const HANDSHAKE = new Set(["initialize", "server/discover", "subscriptions/listen"]);

type Send = (message: { method?: string; id?: unknown }, options?: unknown) => Promise<void>;

/** Puts a gate before the transport's `send`. Only requests wait: the rest is never turned away. */
export function gate(transport: SdkTransport): Gate {
  const send = transport.send.bind(transport) as Send;
  const held: { proceed(): void; reject(error: unknown): void }[] = [];
  let closed = true;

  const gated: Send = (message, options) => {
    const { method, id } = message;
    if (!closed || id === undefined || method === undefined || HANDSHAKE.has(method))
      return send(message, options);
    return new Promise((resolve, reject) => {
      held.push({ proceed: () => send(message, options).then(resolve, reject), reject });
    });
  };
  transport.send = gated as SdkTransport["send"];

  return {
    open() {
      closed = false;
      for (const { proceed } of held.splice(0)) proceed();
    },
    fail(error) {
      closed = false;
      for (const { reject } of held.splice(0)) reject(error);
    },
  };
}
