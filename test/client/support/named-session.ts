/** Sessions that answer with their own names, so that tests see which one a request has reached. @module */
import type { RecoveringFetchOptions } from "../../../src/client/index.ts";
import { type Answer, pass, reply } from "./script.ts";
import { openScriptedSession, type ScriptedSession } from "./scripted-session.ts";

/** Answers tool calls and what else is asked with the session's own name. */
export const named: Answer = ({ method, message, headers }) =>
  method === "POST" &&
  message?.id !== undefined &&
  message.method !== "initialize" &&
  message.method !== "ping"
    ? reply(message, { session: headers.get("mcp-session-id") })
    : pass();

export function opened(
  options: RecoveringFetchOptions = {},
  answer: Answer = named,
): Promise<ScriptedSession> {
  const retry = { initialDelayMs: 1, maxDelayMs: 5, jitter: 0, ...options.retry };
  return openScriptedSession(answer, { ...options, retry });
}

/** The name in an answer of `named`. */
export const sessionOf = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { result: { session: unknown } }).result.session;
