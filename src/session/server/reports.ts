/** What the operator is told of calls that go wrong, and what can be read from an SDK's own reports. @module */
import { clientText, type EventSink, messageOf } from "../../events.ts";
import type { JsonRpcRequest } from "../../jsonrpc/messages.ts";

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

/** Says what a tool has thrown. */
export function toolThrew(
  emit: EventSink,
  { session, tool }: { readonly session: string | undefined; readonly tool: string | undefined },
  error: unknown,
): void {
  emit("tool.threw", {
    session,
    tool: clientText(tool),
    message: messageOf(error).slice(0, LONGEST_THROWN),
    stack: error instanceof Error ? error.stack?.slice(0, LONGEST_THROWN) : undefined,
  });
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
