/**
 * A raw MCP client over Streamable HTTP: it sends what the test says and hides nothing of the answer.
 * @module
 */
import { initialize, LATEST, type Message, notification, textOf, toolCall } from "./messages.ts";
import { type EventStream, readEvents } from "./sse.ts";

export const ACCEPT_BOTH = "application/json, text/event-stream";

/** POSTs to a URL as an MCP client does; `headers` add to and replace the usual ones, `undefined` removes. */
export function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string | undefined>> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: given({ "Content-Type": "application/json", Accept: ACCEPT_BOTH, ...headers }),
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}

function given(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The answer to a request, whether it came as JSON or on a stream. */
export async function answerOf(response: Response, id?: Message["id"]): Promise<Message> {
  if (response.headers.get("content-type") !== "text/event-stream") return (await response.json()) as Message;
  const stream = readEvents(response);
  return stream.message((message) => message.method === undefined && (id === undefined || message.id === id));
}

export interface McpSession {
  readonly id: string;
  readonly version: string;
  /** The server's InitializeResult. */
  readonly server: { [name: string]: unknown };
  /** Headers that each request of the session carries. */
  readonly headers: Readonly<Record<string, string>>;
  post(
    body: unknown,
    headers?: Readonly<Record<string, string | undefined>>,
    signal?: AbortSignal,
  ): Promise<Response>;
  /** POSTs a request whose answer must be a stream. */
  stream(message: unknown): Promise<EventStream>;
  /** POSTs a request and waits for its answer. */
  request(message: Message): Promise<Message>;
  /** Calls a tool and returns its text. */
  tool(name: string, args?: Record<string, unknown>): Promise<string | undefined>;
  /** GETs the stream; resumes after `lastEventId` where it is given. */
  get(lastEventId?: string): Promise<EventStream>;
  /** The same, whatever the answer. */
  fetch(method: "GET" | "DELETE", headers?: Readonly<Record<string, string | undefined>>): Promise<Response>;
}

export interface SessionSetup {
  readonly version?: string;
  readonly capabilities?: Record<string, unknown>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Opens a session: `initialize`, `initialized`. */
export async function openSession(
  url: string,
  { version = LATEST, capabilities = {}, headers: own = {} }: SessionSetup = {},
): Promise<McpSession> {
  const opened = await post(`${url}/mcp`, initialize(version, capabilities), own);
  const { result } = await answerOf(opened);
  const id = opened.headers.get("mcp-session-id");
  if (id === null || result === undefined) throw new Error(`no session: ${opened.status}`);
  const headers = {
    ...own,
    "Mcp-Session-Id": id,
    // Clients of 2025-03-26 do not know the header.
    ...(version >= "2025-06-18" ? { "MCP-Protocol-Version": version } : {}),
  };

  const session = sessionAt(url, { id, version, server: result, headers });
  const accepted = await session.post(notification("notifications/initialized"));
  if (accepted.status !== 202) throw new Error(`initialized was answered ${accepted.status}`);
  return session;
}

/** A session that is open already, as it is reached by this URL. */
export function sessionAt(
  url: string,
  { id, version, server, headers }: Pick<McpSession, "id" | "version" | "server" | "headers">,
): McpSession {
  const mcp = `${url}/mcp`;
  const session: McpSession = {
    id,
    version,
    server,
    headers,
    post: (body, more, signal) => post(mcp, body, { ...headers, ...more }, signal),
    stream: async (message) => readEvents(await session.post(message)),
    request: async (message) => answerOf(await session.post(message), message.id),
    tool: async (name, args) => textOf(await session.request(toolCall(name, args))),
    get: async (lastEventId) => readEvents(await session.fetch("GET", { "Last-Event-ID": lastEventId })),
    fetch: (method, more) =>
      fetch(mcp, { method, headers: given({ Accept: "text/event-stream", ...headers, ...more }) }),
  };
  return session;
}
