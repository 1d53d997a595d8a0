/** What the operator is told of calls that go wrong, and what can be read from an SDK's own reports. @module */
import { clientText, type EventSink, messageOf } from "../../events.ts";
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

/**
 * True for an error that was made for the client: the SDKs' own (`McpError`, `ProtocolError`), by JSON-RPC's codes. Those of
 * other makes are positive (DOMException), or words (Node).
 */
function isForClient(error: unknown): boolean {
  const code: unknown = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "number" && Number.isInteger(code) && code < 0;
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
  return new Error(`The tool failed. The server's log has the reason, under ${reference}.`);
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
