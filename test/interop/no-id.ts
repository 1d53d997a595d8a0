/**
 * Requests as ChatGPT and claude.ai send them: `initialize`, and then calls that do not carry the session id
 * that it was answered with.
 * @module
 */
import { answerOf, post } from "../support/mcp.ts";
import { initialize, LATEST, type Message, notification, request, toolCall } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import type { Result, Row } from "./results.ts";
import type { Stage } from "./stage.ts";

const STALE = { "Mcp-Session-Id": "4daa7624daf749c8b5893c1" };
const VERSIONED = { "MCP-Protocol-Version": LATEST };
const ECHO = { text: "hi" };
/** What OpenAI's client puts into each call. */
const OPENAI_META = { "openai/session": "v1/conversation", "openai/subject": "v1/user" };

type Headers = Readonly<Record<string, string>>;
type Probe = readonly [key: string, message: Message, headers: Headers];

const call = toolCall("echo", ECHO);
const chatGptCall = { ...call, params: { ...call.params, _meta: OPENAI_META } };
const discover = modernRequest("server/discover");
const modernCall = modernRequest("tools/call", { name: "echo", arguments: ECHO });

const PROBES: readonly Probe[] = [
  ["initialize", initialize(), {}],
  ["initialized", notification("notifications/initialized"), VERSIONED],
  ["list", request("tools/list"), VERSIONED],
  ["call", chatGptCall, VERSIONED],
  ["call without a version", call, {}],
  ["ping", request("ping"), VERSIONED],
  ["initialize, unknown id", initialize(), STALE],
  ["server/discover", discover, headersFor(discover)],
  ["call 2026-07-28, unknown id", modernCall, { ...headersFor(modernCall), ...STALE }],
];

export const NO_ID_ROWS: readonly Row[] = PROBES.map(([key]) => [key, key]);

export async function withoutId({ lab, note }: Stage): Promise<void> {
  for (const [key, message, headers] of PROBES) {
    note(key, await judge(await post(`${lab.proxy.url}/mcp`, message, headers), message));
  }
}

async function judge(response: Response, { id }: Message): Promise<Result> {
  if (id === undefined) {
    await response.body?.cancel();
    return response.status === 202 ? "ok" : "F";
  }
  const answer = await answerOf(response, id);
  return response.ok && answer.result !== undefined ? "ok" : "F";
}
