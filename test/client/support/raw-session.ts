/** A session without an SDK: what goes through a `fetch`, and nothing else. @module */
import type { FetchLike } from "../../../src/client/index.ts";
import { initialize, type Message, notification, request } from "../../support/messages.ts";

export interface RawSession {
  readonly id: string;
  /** POSTs a message in the session. */
  post(
    message: Message,
    init?: { headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>;
  call(method: string, params?: Record<string, unknown>): Promise<Response>;
  get(headers?: Record<string, string>, signal?: AbortSignal): Promise<Response>;
  delete(): Promise<Response>;
}

export const URL_OF_SCRIPT = "http://script.test/mcp";

export async function openRawSession(fetch: FetchLike): Promise<RawSession> {
  const send = (
    method: string,
    headers: Record<string, string>,
    message?: Message,
    signal?: AbortSignal,
  ): Promise<Response> =>
    fetch(URL_OF_SCRIPT, {
      method,
      headers,
      ...(message === undefined ? {} : { body: JSON.stringify(message) }),
      ...(signal === undefined ? {} : { signal }),
    });
  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const opened = await send("POST", json, initialize());
  await opened.text();
  const id = opened.headers.get("mcp-session-id") ?? "";
  const own = { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" };
  await send("POST", { ...json, ...own }, notification("notifications/initialized"));
  const session: RawSession = {
    id,
    post: (message, { headers = {}, signal } = {}) =>
      send("POST", { ...json, ...own, ...headers }, message, signal),
    call: (method, params) => session.post(request(method, params)),
    get: (headers = {}, signal) =>
      send("GET", { accept: "text/event-stream", ...own, ...headers }, undefined, signal),
    delete: () => send("DELETE", own),
  };
  return session;
}

/** Reads messages off an event stream, one by one. */
export function readMessages(response: Response): { next(): Promise<Message>; rest(): Promise<Message[]> } {
  const reader = (response.body as ReadableStream).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const ready: Message[] = [];
  const fill = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    if (done) return false;
    const frames = (text + value).split("\n\n");
    text = frames.pop() ?? "";
    for (const frame of frames) {
      const data = /^data: (.+)$/m.exec(frame)?.[1];
      if (data !== undefined) ready.push(JSON.parse(data) as Message);
    }
    return true;
  };
  return {
    async next() {
      while (ready.length === 0) if (!(await fill())) throw new Error("the stream ended");
      return ready.shift() as Message;
    },
    async rest() {
      while (await fill());
      return ready.splice(0);
    },
  };
}
