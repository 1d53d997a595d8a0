/**
 * What `connect` needs of the official SDK, v1 or v2, in the form that both have. Nothing is imported
 * from either.
 * @module
 */

/** A `Client` of the SDK. */
export interface SdkClient {
  /** Called once its connection has ended, by whomever. */
  onclose?: (() => void) | undefined;
  /** Called with what went wrong outside of any request. */
  onerror?: ((error: Error) => void) | undefined;
  /** Starts the transport and initialises the session. */
  connect(transport: never, options?: never): Promise<void>;
  /** Closes the transport. The session goes on: `Connection.close` ends it too. */
  close(): Promise<void>;
}

/** A client transport of the SDK. */
export interface SdkTransport {
  /** Called with what went wrong outside of any message. */
  onerror?: ((error: Error) => void) | undefined;
  /** That of the session, once the server has named one. */
  readonly sessionId?: string | undefined;
  /** Sends one message, or a batch. */
  send(message: never, options?: never): Promise<void>;
  /** Ends its connections. */
  close(): Promise<void>;
  /** Streamable HTTP only: ends the session (DELETE). */
  terminateSession?(): Promise<void>;
  /** Told by the client what was negotiated. */
  setProtocolVersion?(version: string): void;
}

/** The class of a client transport. */
export type TransportClass = new (url: URL, options?: never) => SdkTransport;

/**
 * The transports, from `@modelcontextprotocol/client`, or from `client/streamableHttp.js` and
 * `client/sse.js` of `@modelcontextprotocol/sdk`. They must be of the client's own major version.
 */
export interface SdkTransports {
  readonly StreamableHTTPClientTransport: TransportClass;
  /** Without it, servers that have only HTTP+SSE cannot be reached. */
  readonly SSEClientTransport?: TransportClass;
}

/** How a v2 client is told which era to negotiate. */
export interface VersionNegotiation {
  setVersionNegotiation(options: { mode: "auto" | "legacy" | { pin: string } }): void;
}

/** True for clients of SDK v2: those that know the stateless era. */
export function isModernClient(client: object): client is VersionNegotiation {
  return "setVersionNegotiation" in client;
}

/** A module by a name that bundlers do not see: the peer is optional, and whoever bundles passes it in. */
export const loadModule = (name: string): Promise<Record<string, unknown>> => import(/* @vite-ignore */ name);

/**
 * The transports that belong to `client`, from the packages that are installed.
 * @throws {TypeError} where there are none
 */
export async function loadTransports(client: object): Promise<SdkTransports> {
  const names = isModernClient(client)
    ? ["@modelcontextprotocol/client"]
    : ["@modelcontextprotocol/sdk/client/streamableHttp.js", "@modelcontextprotocol/sdk/client/sse.js"];
  try {
    const modules = await Promise.all(names.map(loadModule));
    return Object.assign({}, ...modules) as SdkTransports;
  } catch (cause) {
    const what = `connect needs the client transports of the SDK: install ${names[0]?.split("/client/")[0]}, or pass them as \`transports\``;
    throw new TypeError(what, { cause });
  }
}
