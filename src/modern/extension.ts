/**
 * What an extension of the protocol can bring to the stateless era: answers in the server's place, guests that live
 * beyond a request, and something to listen for. Types alone: who has no extension pays for none. `holdfast/tasks` is one.
 * @module
 */
import type { McpServer, Server } from "@modelcontextprotocol/server";
import type { Caller } from "../caller.ts";
import type { Change } from "../changes.ts";
import type { GuestKind } from "../guest.ts";
import type { StatelessCall } from "../host.ts";
import type { Failure } from "../jsonrpc/failures.ts";
import type { JsonObject, JsonRpcNotification, JsonRpcRequest } from "../jsonrpc/messages.ts";
import type { Settings } from "../options.ts";
import type { ServerContext } from "../session/server/factory.ts";

export type { McpServer, Server } from "@modelcontextprotocol/server";

/** An extension of the protocol, as `modernHandler` takes it. */
export interface ModernExtension {
  /** Its guests. @param serve runs one call in a server of the deployment's */
  guest(serve: Serve): GuestKind;
  /**
   * Has a request's server announce the extension, and answers what is the extension's own in its place.
   * @param server not connected yet
   * @returns what makes the answer of the SDK's, where that is not to be sent as it is
   */
  extend(server: Server, call: StatelessCall): ((response: Response) => Promise<Response>) | undefined;
  /** Its part of a request to listen; undefined where that has none, and what to answer where it cannot be heard. */
  listening(call: StatelessCall, request: JsonRpcRequest): ListeningFor | Failure | undefined;
}

/** One listener's part of an extension. */
export interface ListeningFor {
  /** What is granted, for the acknowledgement, and what is to be told at once. Asked when nothing is missed any more. */
  grant(): Promise<{ readonly filter: JsonObject; readonly told: readonly JsonRpcNotification[] }>;
  /** Looks up what there is to tell of a change, when its listener's turn comes; undefined for one that is not its own. */
  hear(change: Change): (() => Promise<readonly JsonRpcNotification[]>) | undefined;
}

/** One call, run by whoever holds it. */
export interface ServedCall {
  /** Its `env` is that of the guest's place, which the host has put there. */
  readonly context: ServerContext;
  /** As the client's, of this revision. Aborting its signal cancels the call. */
  readonly request: Request;
  readonly message: JsonRpcRequest;
  readonly caller: Caller;
  readonly settings: Settings;
  /** Sees the server that was built for it, before it is connected. */
  readonly onServer: (server: McpServer | Server) => void;
}

/** Runs a call; the SDK's response, which is JSON or a stream. Rejects where the call was aborted before there was one. */
export type Serve = (call: ServedCall) => Promise<Response>;
