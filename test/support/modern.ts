/**
 * A raw client of 2026-07-28: each request stands alone, with the envelope and the headers that the
 * revision asks for, unless a test says otherwise.
 * @module
 */
import { answerOf, post } from "./mcp.ts";
import { type Message, request, textOf } from "./messages.ts";
import { type EventStream, readEvents } from "./sse.ts";

export const MODERN = "2026-07-28";
export const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";

export interface Filter {
  toolsListChanged?: boolean;
  promptsListChanged?: boolean;
  resourcesListChanged?: boolean;
  resourceSubscriptions?: string[];
}

type Headers = Readonly<Record<string, string | undefined>>;

/** A request with its envelope; `params._meta` adds to it. */
export function modernRequest(
  method: string,
  params: Record<string, unknown> = {},
  id?: string | number,
  capabilities: Record<string, unknown> = {},
): Message {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": capabilities,
    ...(params["_meta"] as object | undefined),
  };
  return request(method, { ...params, _meta: meta }, id);
}

/** The headers that go with a message. */
export function headersFor({ method = "", params = {} }: Message): Record<string, string> {
  const name = method === "resources/read" ? params["uri"] : params["name"];
  const isNamed = ["tools/call", "prompts/get", "resources/read"].includes(method);
  return {
    "MCP-Protocol-Version": MODERN,
    "Mcp-Method": method,
    ...(isNamed ? { "Mcp-Name": String(name) } : {}),
  };
}

/** POSTs a message of this era; `headers` add to and replace the usual ones, `undefined` removes. */
export function postModern(
  url: string,
  message: Message,
  headers: Headers = {},
  signal?: AbortSignal,
): Promise<Response> {
  return post(`${url}/mcp`, message, { ...headersFor(message), ...headers }, signal);
}

/** Sends a request and waits for its answer. */
export async function ask(
  url: string,
  method: string,
  params?: Record<string, unknown>,
  headers?: Headers,
): Promise<Message> {
  const message = modernRequest(method, params);
  return answerOf(await postModern(url, message, headers), message.id);
}

/** Calls a tool and returns its text. */
export async function call(
  url: string,
  name: string,
  args: Record<string, unknown> = {},
  headers?: Headers,
): Promise<string | undefined> {
  return textOf(await ask(url, "tools/call", { name, arguments: args }, headers));
}

export interface Listening extends EventStream {
  /** The filter that was acknowledged. */
  readonly honored: Filter;
}

/** Opens a `subscriptions/listen` stream and waits for its acknowledgement, which must come first. */
export async function listen(
  url: string,
  notifications: Filter,
  { id = "listen:0", headers = {} }: { id?: string | number; headers?: Headers } = {},
): Promise<Listening> {
  const stream = readEvents(
    await postModern(url, modernRequest("subscriptions/listen", { notifications }, id), headers),
  );
  const { method, params } = await stream.message();
  if (method !== "notifications/subscriptions/acknowledged") throw new Error(`first came ${method}`);
  return Object.assign(stream, { honored: params?.["notifications"] as Filter });
}
