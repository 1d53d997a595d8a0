/**
 * What an extension of the protocol brings to the stateless era: answers in the server's place, guests that live
 * beyond a request, and something to listen for. `holdfast/tasks` is one; this entry imports none.
 * @module
 */
import type { McpServer, Server } from "@modelcontextprotocol/server";
import type { Change } from "../changes.ts";
import type { GuestKind } from "../guest.ts";
import type { StatelessCall } from "../host.ts";
import type { Failure } from "../jsonrpc/failures.ts";
import {
  isRequest,
  type JsonObject,
  type JsonRpcErrorObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from "../jsonrpc/messages.ts";
import type { Settings } from "../options.ts";
import type { ServerContext } from "../session/server/factory.ts";

/** An extension of the protocol, as `modernHandler` takes it. */
export interface ModernExtension<Env = unknown> {
  /** Its name among the capabilities' extensions, under which every server announces it. */
  readonly name: string;
  /** Its guests. @param serve runs one call in a server of the deployment's */
  guest(serve: Serve<Env>): GuestKind<Env>;
  /**
   * What answers this request in its server's place, once the SDK has let it pass; undefined where the server is to
   * answer. It brings the result, or rejects with a {@link Refused}.
   */
  answerer(call: StatelessCall<Env>, request: JsonRpcRequest): (() => Promise<JsonObject>) | undefined;
  /** Its part of a request to listen; undefined where that has none, and what to answer where it cannot be heard. */
  listening(call: StatelessCall<Env>, request: JsonRpcRequest): ListeningFor | Failure | undefined;
}

/** One listener's part of an extension. */
export interface ListeningFor {
  /** What is granted, for the acknowledgement, and what is to be told at once. Asked when nothing is missed any more. */
  grant(): Promise<{ readonly filter: JsonObject; readonly told: readonly JsonRpcNotification[] }>;
  /** Looks up what there is to tell of a change, when its listener's turn comes; undefined for one that is not its own. */
  hear(change: Change): (() => Promise<readonly JsonRpcNotification[]>) | undefined;
}

/** One call, run by whoever holds it. */
export interface ServedCall<Env> {
  readonly context: ServerContext<Env>;
  /** As the client's, of this revision. Aborting its signal cancels the call. */
  readonly request: Request;
  readonly message: JsonRpcRequest;
  readonly authInfo: unknown;
  readonly settings: Settings;
  /** Hears what the server says before it answers. */
  readonly onNotification: (notification: JsonRpcNotification) => void;
}

/** Runs a call to its answer. Its credentials were judged where it came in. Rejects where it was aborted. */
export type Serve<Env> = (call: ServedCall<Env>) => Promise<JsonRpcResponse>;

/** Thrown by an answerer: the error is the answer. */
export class Refused extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor({ error }: { readonly error: JsonRpcErrorObject }) {
    super(error.message);
    this.name = "Refused";
    this.code = error.code;
    this.data = error.data;
  }
}

/** Whatever parameters: they are judged by who takes them. */
const ANY = {
  "~standard": {
    version: 1,
    vendor: "holdfast",
    validate: (value: unknown) => ({ value: value as Record<string, unknown> }),
  },
} as const;

/** What has come of a request that an extension answers. */
export interface Extended {
  /** The result to send in the place of what the SDK has been given. */
  instead: JsonObject | undefined;
}

/** Has the server announce the extension, and the extension answer what is its own. */
export function extend<Env>(
  extension: ModernExtension<Env>,
  server: Server,
  call: StatelessCall<Env>,
): Extended {
  server.registerCapabilities({ extensions: { [extension.name]: {} } });
  const extended: Extended = { instead: undefined };
  const [request] = call.payload.messages;
  if (request === undefined || call.payload.batch || !isRequest(request)) return extended;
  const answerer = extension.answerer(call, request);
  if (answerer === undefined) return extended;
  if (request.method === "tools/call") {
    // The SDK takes nothing but a tool's result for the result of a call, and would make one of whatever it is given.
    server.setRequestHandler("tools/call", async () => {
      extended.instead = await answerer();
      return { content: [] };
    });
  } else server.setRequestHandler(request.method, { params: ANY }, () => answerer());
  return extended;
}

/** The SDK's answer, with the extension's result in place of the one that stood for it. */
export async function substituted(response: Response, { instead }: Extended): Promise<Response> {
  if (instead === undefined || !response.ok) return response;
  const body = (await response.json()) as { result?: JsonObject };
  if (body.result === undefined) return Response.json(body, response);
  // Who the server is, which the SDK says in each.
  const meta = {
    ...(body.result["_meta"] as object | undefined),
    ...(instead["_meta"] as object | undefined),
  };
  return Response.json({ ...body, result: { ...instead, _meta: meta } });
}

/**
 * The server of a call that was let in elsewhere: it asks for no scopes again, of a caller who, after a restart, is not
 * there to show any.
 */
export function admitted(product: McpServer | Server): McpServer | Server {
  return Object.assign(product, { resolveScopeChallenge: () => undefined });
}
