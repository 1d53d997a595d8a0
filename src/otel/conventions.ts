/**
 * What a call's span is called and says, after the semantic conventions of MCP, whoever makes it; payloads, tokens and
 * whole session ids are in none.
 * @module
 */
import type { CallEvent, EndedCall, Outcome, StartedCall } from "../events.ts";

type Values = Record<string, string | number | boolean>;

/** The value of `error.type`: a JSON-RPC error's code, or a word; undefined for a call that went well. */
export function errorType(outcome: Outcome): string | undefined {
  if (outcome === "ok") return undefined;
  return outcome === "tool-error" ? "tool_error" : String(outcome);
}

/** `tools/call echo`; a resource's URI is no name: there may be any number of them. */
export function nameOf({ method = "unknown", name }: Pick<CallEvent, "method" | "name">): string {
  return name === undefined || method.startsWith("resources/") ? method : `${method} ${name}`;
}

/** What is known as the call begins. */
export function attributesOf(call: CallEvent | StartedCall): Values {
  const { method, name } = call;
  const attributes: Record<string, string | number | undefined> = {
    "mcp.method.name": method,
    "mcp.session.id": call.session,
    "mcp.protocol.version": call.version,
    "jsonrpc.request.id": (call as Partial<StartedCall>).requestId,
    "network.transport": "tcp",
    "network.protocol.name": "http",
    "user_agent.name": call.client,
    "user_agent.version": call.clientVersion,
    "enduser.pseudo.id": call.principal,
    "holdfast.era": call.era,
    "holdfast.transport": call.transport,
    "holdfast.attempts": call.attempts,
  };
  if (method === "tools/call") {
    attributes["gen_ai.operation.name"] = "execute_tool";
    attributes["gen_ai.tool.name"] = name;
  } else if (method === "prompts/get") attributes["gen_ai.prompt.name"] = name;
  else attributes["mcp.resource.uri"] = name;
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Values;
}

/** What is known as it ends. */
export function endingOf({ outcome, streamed, bytes }: EndedCall): Values {
  const type = errorType(outcome);
  return {
    ...(type !== undefined && { "error.type": type }),
    "holdfast.streamed": streamed,
    "holdfast.answer.size": bytes,
    ...(typeof outcome === "number" && { "rpc.response.status_code": String(outcome) }),
  };
}

/** As `traceparent` has it. */
export function written(span: {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}): string {
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}
