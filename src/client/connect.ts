/**
 * Connects an SDK client over whatever era and transport the server speaks: the stateless era by its
 * probe, then `initialize`, then HTTP+SSE (2025-11-25, transports, "Backwards Compatibility";
 * 2026-07-28, versioning). What it resolves with is up; what it rejects with says why not.
 * @module
 */
import { ANYTHING, BOOLEAN, checkGiven, having, type Kind, needed } from "../setup.ts";
import { delayAfter, LONGEST_MS, resolveBackoff, sleep } from "./backoff.ts";
import { ConnectError } from "./connect-error.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { holdLists } from "./early-lists.ts";
import { gate } from "./gate.ts";
import { observeFetch } from "./observed-fetch.ts";
import {
  KINDS as RECOVERING,
  recovering as recoveringOf,
  type RecoveringFetchOptions,
} from "./recovering-fetch.ts";
import { emitter } from "./recovery-events.ts";
import {
  isModernClient,
  loadTransports,
  type SdkClient,
  type SdkTransport,
  type SdkTransports,
} from "./sdk.ts";

/** `modern`: stateless, from 2026-07-28. `session`: Streamable HTTP with sessions. `legacy`: HTTP+SSE. */
export type Era = "modern" | "session" | "legacy";

/** What `connect` goes by, besides what recovery does. */
export interface ConnectOptions<Client extends SdkClient> extends RecoveringFetchOptions {
  /** A client of SDK v1 or v2 that is not connected yet. */
  client: Client;
  /** The SDK's transports. Default: those of the installed package that the client comes from. */
  transports?: SdkTransports;
  /** Eras that may be spoken. Default: all that the client can. */
  eras?: readonly Era[];
  /** Longest time until the session is up, all eras together, in milliseconds. Default 10 000. */
  timeoutMs?: number;
  /** Gives up, before the connection is up. */
  signal?: AbortSignal;
  /** Further options for the transports' constructors, such as `authProvider` and `requestInit`. */
  transportOptions?: object;
  /** Whether `close` ends the session on the server, as clients should. Default true. */
  terminate?: boolean;
}

/** A client that is connected, and over what. It goes on to say so after a recovery. */
export interface Connection<Client extends SdkClient> {
  readonly client: Client;
  readonly url: string;
  /** What is spoken; undefined while there is no connection. */
  readonly era: Era | undefined;
  /** The negotiated revision. */
  readonly protocolVersion: string | undefined;
  /** The session's id as the client knows it; undefined outside of sessions. */
  readonly sessionId: string | undefined;
  /**
   * Closes the transport and connects the client anew, by the rules of `connect`. Calls in flight reject.
   * @throws {ConnectError}
   */
  reconnect(): Promise<void>;
  /** Ends the session and the connection. Never rejects; further calls do nothing. */
  close(): Promise<void>;
}

const ERAS: readonly Era[] = ["modern", "session", "legacy"];

const KINDS: Required<Record<keyof ConnectOptions<SdkClient>, Kind>> = {
  ...RECOVERING,
  client: needed(having("connect", "a client of the official SDK")),
  transports: ANYTHING,
  eras: [
    `a list of ${ERAS.join(", ")}`,
    (value) => Array.isArray(value) && value.every((each) => ERAS.includes(each as Era)),
  ],
  timeoutMs: ANYTHING,
  signal: ANYTHING,
  transportOptions: ANYTHING,
  terminate: BOOLEAN,
};

/** How long `close` waits for the server's answer to DELETE. */
const TERMINATE_MS = 1000;
/** The SDK's own limit must not come first: it knows only one of the steps. */
const SDK_GRACE_MS = 1000;
const MODERN_VERSION = "2026-07-28";

/**
 * Connects `client` to the MCP endpoint at `url`.
 * @throws {ConnectError} where no session comes up in time; the client is free to be used again then
 * @throws {TypeError} naming an option that there is not, or that is of another kind
 * @throws {RangeError} naming the option that is out of bounds
 */
export async function connect<Client extends SdkClient>(
  url: string | URL,
  options: ConnectOptions<Client>,
): Promise<Connection<Client>> {
  checkGiven("connect", options, KINDS);
  const { client, eras = ERAS, terminate = true, timeoutMs = 10_000 } = options;
  const most = LONGEST_MS - SDK_GRACE_MS;
  if (!(timeoutMs > 0 && timeoutMs <= most)) throw new RangeError(`timeoutMs must be > 0 and <= ${most}`);
  const target = new URL(url);
  const backoff = resolveBackoff(options.retry);
  const emit = emitter(options);
  /** Ends with `close`. */
  const life = new AbortController();
  let current: { transport: SdkTransport; era: Era; version: string | undefined } | undefined;
  let reconnecting: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  const observer = observeFetch(options.fetch ?? ((input, init) => fetch(input, init)), (cause) => {
    if (current?.era === "legacy" && !life.signal.aborted) void revive(cause);
  });
  const recovering = recoveringOf({ ...options, fetch: observer.fetch });
  let transports: SdkTransports;

  /** Brings one transport up, or leaves nothing of it. */
  async function open(kind: "streamable" | "legacy", deadline: Deadline): Promise<void> {
    if (deadline.failure) throw deadline.failure;
    const { StreamableHTTPClientTransport, SSEClientTransport } = transports;
    const Transport = kind === "legacy" ? SSEClientTransport : StreamableHTTPClientTransport;
    if (Transport === undefined)
      throw new TypeError("HTTP+SSE needs SSEClientTransport among the transports");
    if (isModernClient(client))
      client.setVersionNegotiation({ mode: kind === "legacy" ? "legacy" : modeOf(eras) });
    observer.reset();
    const transport = new Transport(target, { ...options.transportOptions, fetch: recovering } as never);
    let version: string | undefined;
    const { setProtocolVersion } = transport;
    transport.setProtocolVersion = (negotiated) => {
      version = negotiated;
      setProtocolVersion?.call(transport, negotiated);
    };
    const waiting = gate(transport);
    try {
      const limit = { timeout: timeoutMs + SDK_GRACE_MS };
      await deadline.orExpired(client.connect(transport as never, limit as never));
    } catch (error) {
      const failure = deadline.failure ?? (await observer.explain(target.href, error));
      waiting.fail(failure);
      quieten(transport);
      // SDK v2 probes before the transport is the client's.
      await transport.close().catch(() => undefined);
      await client.close().catch(() => undefined);
      throw failure;
    }
    const isModern = version !== undefined && version >= MODERN_VERSION;
    current = { transport, version, era: kind === "legacy" ? "legacy" : isModern ? "modern" : "session" };
    waiting.open();
  }

  async function establish(...signals: (AbortSignal | undefined)[]): Promise<void> {
    const deadline = startDeadline(target.href, timeoutMs, signals);
    // What becomes of transports that are tried and put away is not the application's to hear.
    const unmask = mask(client);
    try {
      if (!eras.includes("modern") && !eras.includes("session")) return await open("legacy", deadline);
      await open("streamable", deadline).catch(async (first: unknown) => {
        const isOldServer = [400, 404, 405].includes(observer.status ?? 0);
        const canFallBack = eras.includes("legacy") && transports.SSEClientTransport !== undefined;
        if (!isOldServer || !canFallBack || deadline.failure || !(first instanceof ConnectError)) throw first;
        await open("legacy", deadline).catch((second: unknown) => {
          throw deadline.failure ?? alsoTried(first, second);
        });
      });
    } finally {
      deadline.stop();
      unmask();
    }
  }

  /** Ends the session and its connection, unheard by the application. */
  async function abandon(): Promise<void> {
    const { transport } = current ?? {};
    current = undefined;
    const unmask = mask(client);
    if (transport !== undefined) {
      quieten(transport);
      await leave(transport);
    }
    await client.close().catch(() => undefined);
    unmask();
  }

  /** Tells the server that the session is over, if it can be told. */
  async function leave(transport: SdkTransport): Promise<void> {
    if (!terminate || transport.terminateSession === undefined) return;
    const told = new AbortController();
    const answered = transport.terminateSession().catch(() => undefined);
    await Promise.race([answered.finally(() => told.abort()), sleep(TERMINATE_MS, told.signal)]);
  }

  const reconnect = (): Promise<void> =>
    (reconnecting ??= holdLists(client, () => abandon().then(() => establish(life.signal))).finally(
      () => (reconnecting = undefined),
    ));

  /** In HTTP+SSE the session is its stream, and nothing leads back into it: another takes its place. */
  async function revive(cause: unknown): Promise<void> {
    const since = performance.now();
    emit({ type: "dropped", stream: "legacy", cause });
    await abandon();
    let last = cause;
    for (let attempts = 1; attempts <= backoff.attempts; attempts++) {
      await sleep(delayAfter(attempts - 1, backoff), life.signal);
      // The application may have closed it meanwhile, or reconnected it itself.
      if (life.signal.aborted || current !== undefined) return;
      try {
        await reconnect();
        return emit({ type: "reconnected", attempts, downMs: performance.now() - since });
      } catch (error) {
        last = error;
      }
    }
    if (life.signal.aborted) return;
    emit({ type: "gave-up", attempts: backoff.attempts, cause: last });
    client.onclose?.();
  }

  await holdLists(client, async () => {
    transports = options.transports ?? (await loadTransports(client));
    await establish(options.signal);
  });

  return {
    client,
    url: target.href,
    get era() {
      return current?.era;
    },
    get protocolVersion() {
      return current?.version;
    },
    get sessionId() {
      return current?.transport.sessionId;
    },
    reconnect,
    close: () =>
      (closing ??= (async () => {
        life.abort();
        await reconnecting?.catch(() => undefined);
        if (current !== undefined) {
          quieten(current.transport);
          await leave(current.transport);
        }
        await client.close().catch(() => undefined);
      })()),
  };
}

/** From here on, what becomes of the transport is no error of the application's: its requests are aborted. */
function quieten(transport: SdkTransport): void {
  Object.assign(transport, { onerror: undefined });
}

/** Takes the application's handlers off; returns what puts them back, unless it has set others meanwhile. */
function mask(client: SdkClient): () => void {
  const { onclose, onerror } = client;
  Object.assign(client, { onclose: undefined, onerror: undefined });
  return () =>
    void Object.assign(client, { onclose: client.onclose ?? onclose, onerror: client.onerror ?? onerror });
}

function modeOf(eras: readonly Era[]): "auto" | "legacy" | { pin: string } {
  if (!eras.includes("modern")) return "legacy";
  return eras.includes("session") ? "auto" : { pin: MODERN_VERSION };
}

/** The first failure stands: it is that of the transport which new servers have. The second is mentioned. */
function alsoTried(first: ConnectError, second: unknown): ConnectError {
  const { reason, url, status, cause } = first;
  const what = first.message.slice(first.message.indexOf(url) + url.length + 2);
  const then =
    second instanceof ConnectError && second.status !== undefined ? `HTTP ${second.status}` : String(second);
  return new ConnectError(url, `${what}; HTTP+SSE: ${then}`, { reason, status, cause });
}
