/**
 * What the operator is told of calls that go wrong, what their clients are told of a tool that threw, and what can be read
 * from an SDK's own reports.
 * @module
 */
import { clientText, messageOf } from "../../log-text.ts";
import type { EventSink } from "../../events.ts";
import type { JsonRpcRequest } from "../../jsonrpc/messages.ts";
import type { Settings } from "../../options.ts";

const LONGEST_NAME = 128;
const LONGEST_MESSAGE = 200;

/** A call that is answered in its server's place. */
export interface CallFailed {
  /** The session's id as events show it; undefined for a call without one. */
  readonly session: string | undefined;
  readonly request: JsonRpcRequest;
  readonly reason: "unserialisable" | "timeout" | "not-taken";
  /** Why, without the payload. */
  readonly message: string;
}

/** Says that a call is answered in its server's place. */
export function callFailed(emit: EventSink, { session, request, reason, message }: CallFailed): void {
  const { method, params } = request;
  const name = method === "tools/call" ? params?.["name"] : undefined;
  const tool = typeof name === "string" ? name.slice(0, LONGEST_NAME) : undefined;
  emit("call.failed", { session, method: method.slice(0, LONGEST_NAME), tool, reason, message });
}

/** Most characters of what a tool throws, and of its stack. */
const LONGEST_THROWN = 4096;

/** How the SDKs say that a client lacks what a tool needs of it: a plain Error in v1, a code in words in v2. */
const CLIENT_LACKS = /^Client does not support /;

/**
 * True for an error that was made for the client: the SDKs' own (`McpError`, `ProtocolError`), by JSON-RPC's codes, and
 * what they say of the client itself. Codes of other makes are positive (DOMException), or words (Node).
 */
function isForClient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === "number" && Number.isInteger(code) && code < 0) return true;
  return CLIENT_LACKS.test(messageOf(error));
}

/**
 * Says what a tool has thrown. Returns what its client is told in its place where it is not to be told that: an error
 * by which whoever runs the server finds it.
 */
export function toolThrew(
  { emit, toolErrors }: Pick<Settings, "emit" | "toolErrors">,
  { session, tool }: { readonly session: string | undefined; readonly tool: string | undefined },
  error: unknown,
): Error | undefined {
  const reference =
    toolErrors === "hidden" && !isForClient(error) ? crypto.randomUUID().slice(0, 8) : undefined;
  emit("tool.threw", {
    session,
    tool: clientText(tool),
    message: messageOf(error).slice(0, LONGEST_THROWN),
    stack: error instanceof Error ? error.stack?.slice(0, LONGEST_THROWN) : undefined,
    reference,
  });
  if (reference === undefined) return undefined;
  const named = tool === undefined ? "The tool" : `The tool ${JSON.stringify(clientText(tool))}`;
  return new Error(`${named} failed. Whoever runs the server finds why in its log, under ${reference}.`);
}

/**
 * What went wrong with a message, without the message, which SDKs put behind what they say, and V8 on lines
 * of their own: payloads are not for logs.
 */
export function withoutPayload(error: unknown): string {
  return (messageOf(error).split(/[{\n]/, 1)[0] ?? "").trim().slice(0, LONGEST_MESSAGE);
}

/**
 * True where an SDK (v1 and v2 alike) says that a handler has ended and its answer went nowhere: it could not be
 * written, or it was no error that was thrown. It does not say which call.
 */
export function isAnswerLost(error: unknown): boolean {
  return messageOf(error).startsWith("Failed to send response");
}
