/**
 * Tasks in the official SDK's servers: what announces them, answers for them, and runs their calls. The SDK checks each
 * request (headers, envelope, scopes) before it comes here.
 * @module
 */
import type { StatelessCall } from "../host.ts";
import {
  isRequest,
  type JsonObject,
  type JsonRpcErrorObject,
  type JsonRpcRequest,
} from "../jsonrpc/messages.ts";
import type { McpServer, ModernExtension, Server } from "../modern/extension.ts";
import { TASKS } from "./record.ts";

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

/** What answers a request in its server's place; undefined where the server is to answer. */
export type AnswererOf = (
  call: StatelessCall,
  request: JsonRpcRequest,
) => (() => Promise<JsonObject>) | undefined;

/** Whatever parameters: they are judged by who takes them. */
const ANY = {
  "~standard": {
    version: 1,
    vendor: "holdfast",
    validate: (value: unknown) => ({ value: value as Record<string, unknown> }),
  },
} as const;

/**
 * Servers that were changed for one call: whoever came by the same server next would be answered with that caller's task, or
 * let in on his scopes.
 */
const spent = new WeakSet<object>();

/** @throws {Error} where the factory gave such a server once more */
function spend(server: Server): void {
  if (spent.has(server)) {
    throw new Error(
      "createServer returned a server that has served a task: it must build a new one each time it is called",
    );
  }
  spent.add(server);
}

/** Has servers announce tasks, and `answererOf` answer for them. */
export function extender(answererOf: AnswererOf): ModernExtension["extend"] {
  return (server, call) => {
    if (spent.has(server)) spend(server);
    server.registerCapabilities({ extensions: { [TASKS]: {} } });
    const [request] = call.payload.messages;
    if (request === undefined || call.payload.batch || !isRequest(request)) return undefined;
    const answerer = answererOf(call, request);
    if (answerer === undefined) return undefined;
    if (request.method !== "tools/call") {
      server.setRequestHandler(request.method, { params: ANY }, () => answerer());
      return undefined;
    }
    spend(server);
    // The SDK would make a tool's result of whatever it is given here: what is meant is put in its place.
    let instead: JsonObject | undefined;
    server.setRequestHandler("tools/call", async () => {
      instead = await answerer();
      return { content: [] };
    });
    return async (response) =>
      instead === undefined || !response.ok ? response : substituted(response, instead);
  };
}

async function substituted(response: Response, instead: JsonObject): Promise<Response> {
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
 * A call that was let in when it came asks for no scopes again, of a caller who, after a restart, is not there to show
 * any.
 */
export function admit(server: McpServer | Server): void {
  spend("server" in server ? server.server : server);
  Object.assign(server, { resolveScopeChallenge: () => undefined });
}
