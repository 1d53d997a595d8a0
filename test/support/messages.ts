/** JSON-RPC messages as tests write and read them. @module */

/** The revisions of Streamable HTTP with sessions. */
export const VERSIONS = ["2025-03-26", "2025-06-18", "2025-11-25"] as const;
export const LATEST = "2025-11-25";

/** A JSON-RPC message as tests read it. */
export interface Message {
  jsonrpc?: "2.0";
  id?: string | number | null;
  method?: string;
  params?: { [name: string]: unknown };
  result?: { [name: string]: unknown };
  error?: { code: number; message: string; data?: unknown };
}

let lastId = 0;

/** A request, under an id that no other request of this run has. */
export function request(
  method: string,
  params?: Record<string, unknown>,
  id: string | number = ++lastId,
): Message {
  return { jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) };
}

export function notification(method: string, params?: Record<string, unknown>): Message {
  return { jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) };
}

/** A `tools/call`; with `progressToken`, one that asks for progress. */
export function toolCall(
  name: string,
  args: Record<string, unknown> = {},
  { id, progressToken }: { id?: string | number; progressToken?: string | number } = {},
): Message {
  const meta = progressToken === undefined ? {} : { _meta: { progressToken } };
  return request("tools/call", { name, arguments: args, ...meta }, id);
}

export function initialize(version: string = LATEST, capabilities: Record<string, unknown> = {}): Message {
  return request("initialize", {
    protocolVersion: version,
    capabilities,
    clientInfo: { name: "behaviour", version: "0" },
  });
}

/** The text of a tool's result. */
export function textOf(message: Message): string | undefined {
  const [block] = (message.result?.["content"] ?? []) as { text?: string }[];
  return block?.text;
}

/** What `emit` numbered: the `n` of its messages. */
export function numbersOf(messages: readonly Message[]): number[] {
  return messages
    .filter(({ method }) => method === "notifications/message")
    .map(({ params }) => (params as { data: { n: number } }).data.n);
}

/** 1 … count. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
