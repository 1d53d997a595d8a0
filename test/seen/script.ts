/** Calls of every outcome, in every era, and what is to be told of them. @module */
import { openSse } from "../support/http-sse.ts";
import { type Message, notification, request, toolCall } from "../support/messages.ts";
import { openSession, post } from "../support/mcp.ts";
import { modernRequest, postModern } from "../support/modern.ts";
import { readEvents } from "../support/sse.ts";

/** What must be told of one call. */
export interface Told {
  readonly method: string;
  readonly name?: string;
  readonly outcome: string | number;
  /** Undefined where it depends on how soon the test was. */
  readonly streamed: boolean | undefined;
}

/** What no log may have: it is in each call's arguments, or in its result. */
export const SECRET = "the-secret-of-the-call";

/** Requests that end by themselves, with how they end; the same in every era. */
export const SCRIPT: readonly { readonly send: () => Message; readonly told: Told }[] = [
  {
    send: () => toolCall("echo", { text: SECRET }),
    told: { method: "tools/call", name: "echo", outcome: "ok", streamed: false },
  },
  {
    send: () => toolCall("sleep", { ms: 300, secret: SECRET }),
    told: { method: "tools/call", name: "sleep", outcome: "ok", streamed: true },
  },
  {
    send: () => toolCall("test_error_handling"),
    told: { method: "tools/call", name: "test_error_handling", outcome: "tool-error", streamed: false },
  },
  {
    send: () => toolCall("no_such_tool", { secret: SECRET }),
    told: { method: "tools/call", name: "no_such_tool", outcome: -32602, streamed: false },
  },
  {
    send: () => request("no/such", { name: SECRET }),
    told: { method: "no/such", outcome: -32601, streamed: false },
  },
  {
    send: () => request("tools/list"),
    told: { method: "tools/list", outcome: "ok", streamed: false },
  },
];

/** Turned away before it ran: its token lacks a scope. */
const REFUSED = (): Message => toolCall("guarded", { tag: SECRET });
const WAS_REFUSED: Told = { method: "tools/call", name: "guarded", outcome: "refused", streamed: false };

const HANGS: Told = { method: "tools/call", name: "hang", outcome: "cancelled", streamed: undefined };

export interface Era {
  readonly name: string;
  /** What each call's event says of where it came from; `session` where there is one. */
  readonly origin: Readonly<Record<string, unknown>>;
  /**
   * Runs the script, and a call that is cancelled once `isHanging` with its tag; returns what must be told, in order,
   * and the session's id.
   */
  run(url: string, isHanging: (tag: string) => Promise<void>): Promise<{ told: Told[]; session?: string }>;
}

const AUTH = { Authorization: "Bearer amy:1" };
const answered = async (response: Response): Promise<void> => void (await response.text());

function sessionEra(version: string): Era {
  return {
    name: version,
    origin: { era: "session", transport: "streamable", version, client: "behaviour", clientVersion: "0" },
    async run(url, isHanging) {
      const session = await openSession(url, { version, headers: AUTH });
      for (const { send } of SCRIPT) await answered(await session.post(send()));
      await answered(await session.post(REFUSED()));
      const tag = crypto.randomUUID();
      const call = toolCall("hang", { tag, secret: SECRET });
      const hanging = session.post(call);
      await isHanging(tag);
      await session.post(notification("notifications/cancelled", { requestId: call.id, reason: SECRET }));
      await (await hanging).body?.cancel();
      const initialize: Told = { method: "initialize", outcome: "ok", streamed: false };
      return {
        session: session.id,
        told: [initialize, ...SCRIPT.map(({ told }) => told), WAS_REFUSED, HANGS],
      };
    },
  };
}

const httpSse: Era = {
  name: "http+sse",
  origin: { era: "session", transport: "http+sse", version: "2024-11-05", client: "behaviour" },
  async run(url, isHanging) {
    const session = await openSse(url, { headers: AUTH });
    await session.initialize();
    for (const { send } of SCRIPT) await session.request(send());
    await answered(await session.post(REFUSED()));
    const tag = crypto.randomUUID();
    const call = toolCall("hang", { tag });
    const hanging = session.post(call);
    await isHanging(tag);
    await session.post(notification("notifications/cancelled", { requestId: call.id }));
    await hanging;
    session.stream.leave();
    // All that is answered comes on the one stream.
    const initialize: Told = { method: "initialize", outcome: "ok", streamed: true };
    const told = SCRIPT.map(({ told: of }) => ({ ...of, streamed: true }));
    return { session: session.id, told: [initialize, ...told, WAS_REFUSED, HANGS] };
  },
};

const sessionless: Era = {
  name: "request",
  origin: { era: "request", transport: "streamable", version: "2025-06-18" },
  async run(url, isHanging) {
    const headers = { ...AUTH, "MCP-Protocol-Version": "2025-06-18" };
    for (const { send } of SCRIPT) await answered(await post(`${url}/mcp`, send(), headers));
    await answered(await post(`${url}/mcp`, REFUSED(), headers));
    const tag = crypto.randomUUID();
    const leaving = new AbortController();
    const hanging = post(`${url}/mcp`, toolCall("hang", { tag, streams: true }), headers, leaving.signal);
    await isHanging(tag);
    await readEvents(await hanging).next();
    leaving.abort();
    return { told: [...SCRIPT.map(({ told }) => told), WAS_REFUSED, HANGS] };
  },
};

const modern: Era = {
  name: "2026-07-28",
  origin: { era: "modern", transport: "streamable", version: "2026-07-28", client: "m" },
  async run(url, isHanging) {
    const meta = { _meta: { "io.modelcontextprotocol/clientInfo": { name: "m", version: "1" } } };
    const send = ({ method = "", params }: Message, signal?: AbortSignal): Promise<Response> =>
      postModern(url, modernRequest(method, { ...params, ...meta }), AUTH, signal);
    for (const { send: message } of SCRIPT) await answered(await send(message()));
    await answered(await send(REFUSED()));
    const tag = crypto.randomUUID();
    const leaving = new AbortController();
    const hanging = send(toolCall("hang", { tag }), leaving.signal);
    await isHanging(tag);
    await (await hanging).body?.getReader().read();
    leaving.abort();
    return { told: [...SCRIPT.map(({ told }) => told), WAS_REFUSED, HANGS] };
  },
};

export const ERAS: readonly Era[] = [
  sessionEra("2025-03-26"),
  sessionEra("2025-06-18"),
  sessionEra("2025-11-25"),
  httpSse,
  sessionless,
  modern,
];
