/**
 * The user's server, as far as a session looks into it: that it is one, that no other session has it, what it
 * reports, and that its `onclose` can fail without harm.
 *
 * The SDKs' servers keep their one transport in a property. To connect such a server a second time while the
 * first session lives mixes users up (SDK 1.20 answers the one's calls to the other) or fails without a reason
 * that anybody sees. Servers that keep transports apart, one for each session, are known by having no such property.
 * @module
 */
import type { EventSink } from "../../events.ts";
import { runHook } from "../../hooks.ts";
import { checkServer, SetupError } from "../../setup.ts";
import type { ConnectableServer } from "./factory.ts";
import type { SessionTransport } from "./transport.ts";

/** The hooks of an SDK's `Server`, which a `McpServer` has inside. */
interface Hooks {
  onclose?: unknown;
  onerror?: unknown;
}

/** Servers that have a transport of a session which lives in this isolate. */
const taken = new WeakMap<object, SessionTransport>();

const SHARED =
  "createServer returned a server that another session is using: it must build a new one each time it is called";

/** Who hears of what a server reports. */
export interface ServerEars {
  readonly emit: EventSink;
  onError(error: unknown): void;
}

/** The user's server, behind the wall. */
export class UserServer {
  readonly #server: ConnectableServer;
  readonly #hooks: Hooks;
  readonly #transport: SessionTransport;
  readonly #ears: ServerEars;
  #restore: (() => void) | undefined;

  /**
   * @throws {TypeError} where `server` is no server
   * @throws {SetupError} where another session has it
   */
  constructor(server: ConnectableServer, transport: SessionTransport, ears: ServerEars) {
    checkServer(server);
    this.#server = server;
    this.#hooks = hooksOf(server);
    this.#transport = transport;
    this.#ears = ears;
    if (taken.has(this.#hooks)) throw new SetupError(SHARED);
  }

  /** Connects it. Rejects where the server does. */
  async connect(): Promise<void> {
    const connecting = this.#server.connect(this.#transport);
    // At once as well: others may be connected while this one waits.
    this.#take();
    await connecting;
    this.#take();
  }

  /** The transport is closed: tells the server, which may be used for another session from then on. Never throws. */
  close(): void {
    const transport = this.#transport;
    const hooks = this.#hooks;
    const { emit } = this.#ears;
    // Once, and not before the server has put it there.
    const tell = transport.onclose?.bind(transport) as (() => unknown) | undefined;
    delete transport.onclose;
    const { onclose } = hooks;
    const guarded = (): unknown => runHook(emit, "onclose", () => (onclose as () => unknown).call(hooks));
    // Behind a guard of its own: what the SDK has to do after it must be done whatever it throws.
    const isGuarded = this.#restore !== undefined && typeof onclose === "function";
    if (isGuarded) Object.assign(hooks, { onclose: guarded });
    runHook(emit, "onclose", () => tell?.());
    if (isGuarded && hooks.onclose === guarded) Object.assign(hooks, { onclose });
    this.#restore?.();
    this.#restore = undefined;
  }

  /** Where it has the transport for its own, it is ours until that is closed. */
  #take(): void {
    const hooks = this.#hooks;
    if (this.#restore !== undefined || !keeps(this.#server, hooks, this.#transport)) return;
    taken.set(hooks, this.#transport);
    const { onerror } = hooks;
    const ears = this.#ears;
    const heard = (error: unknown): void => {
      ears.onError(error);
      if (typeof onerror === "function")
        runHook(ears.emit, "onerror", () => onerror.call(hooks, error) as unknown);
    };
    Object.assign(hooks, { onerror: heard });
    this.#restore = () => {
      taken.delete(hooks);
      if (hooks.onerror === heard) Object.assign(hooks, { onerror });
    };
  }
}

function hooksOf(server: ConnectableServer): Hooks {
  const { server: inner } = server as { server?: unknown };
  return typeof inner === "object" && inner !== null && "connect" in inner
    ? (inner as Hooks)
    : (server as Hooks);
}

function keeps(server: ConnectableServer, hooks: Hooks, transport: SessionTransport): boolean {
  return [server, hooks].some(
    (of) =>
      (of as { transport?: unknown }).transport === transport ||
      (Object.values(of) as unknown[]).includes(transport),
  );
}
