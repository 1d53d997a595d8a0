/** A raw client of HTTP+SSE (2024-11-05): a stream, and the endpoint that its first event names. @module */
import { post } from "./mcp.ts";
import { initialize, type Message, notification, textOf, toolCall } from "./messages.ts";
import { type EventStream, readEvents } from "./sse.ts";

export interface SseSession {
  readonly stream: EventStream;
  /** What the `endpoint` event said. */
  readonly endpoint: string;
  readonly id: string;
  post(body: unknown, headers?: Readonly<Record<string, string | undefined>>): Promise<Response>;
  /** POSTs a request and waits for its answer on the stream. */
  request(message: Message): Promise<Message>;
  tool(name: string, args?: Record<string, unknown>): Promise<string | undefined>;
  /** The client's half of the handshake. */
  initialize(capabilities?: Record<string, unknown>): Promise<Message>;
}

/** Opens a stream, as an EventSource does; `lastEventId` is what it sends as it comes back. */
export async function openSse(
  url: string,
  { lastEventId, headers = {} }: { lastEventId?: string | undefined; headers?: Record<string, string> } = {},
): Promise<SseSession> {
  const sent = new Headers({ Accept: "text/event-stream", ...headers });
  if (lastEventId !== undefined) sent.set("Last-Event-ID", lastEventId);
  const stream = readEvents(await fetch(`${url}/sse`, { headers: sent }));
  // The hint is a line of the event, and heard before its end; an earlier version says it after.
  let first = await stream.next();
  if (first?.type === "retry") first = await stream.next();
  if (first?.type !== "event" || first.event !== "endpoint") throw new Error(`no endpoint: ${stream.text}`);
  const target = new URL(first.data, `${url}/sse`);
  const session: SseSession = {
    stream,
    endpoint: first.data,
    id: target.searchParams.get("sessionId") ?? "",
    post: (body, more) => post(target.href, body, { ...headers, ...more }),
    async request(message) {
      const accepted = await session.post(message);
      if (accepted.status !== 202) throw new Error(`${message.method} was answered ${accepted.status}`);
      return stream.message(({ id, method }) => id === message.id && method === undefined);
    },
    tool: async (name, args) => textOf(await session.request(toolCall(name, args))),
    async initialize(capabilities) {
      const answer = await session.request(initialize("2024-11-05", capabilities));
      await session.post(notification("notifications/initialized"));
      return answer;
    },
  };
  return session;
}
