/** A `fetch` that pools nothing and keeps a log: what a client and its recovery really sent. @module */
import type { FetchLike } from "../../../src/client/index.ts";
import type { Message } from "../../support/messages.ts";
import { unpooledFetch } from "../../support/unpooled-fetch.ts";

export interface SentRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly message: Message | undefined;
  /** 0 until it is answered. */
  status: number;
}

export interface RequestLog {
  readonly fetch: FetchLike;
  readonly sent: SentRequest[];
  /** Requests of this JSON-RPC method arrive under a session id that the server has not given. */
  misdirected: string | undefined;
  /** Number of POSTs of a JSON-RPC method, or of requests of an HTTP method. */
  count(method: string): number;
}

export function logRequests(fetch: FetchLike = unpooledFetch): RequestLog {
  const sent: SentRequest[] = [];
  const log: RequestLog = {
    sent,
    misdirected: undefined,
    count: (method) =>
      sent.filter((request) => [request.method, request.message?.method].includes(method)).length,
    async fetch(input, init = {}) {
      const { method = "GET", body, headers } = init;
      const message = typeof body === "string" ? (JSON.parse(body) as Message) : undefined;
      const entry: SentRequest = { method, headers: new Headers(headers), message, status: 0 };
      sent.push(entry);
      const seen = new Headers(headers);
      const id = seen.get("mcp-session-id");
      if (id !== null && message?.method !== undefined && message.method === log.misdirected) {
        seen.set("mcp-session-id", id.replaceAll(/[0-9a-f]/g, "0"));
      }
      const reply = await fetch(input, { ...init, headers: seen });
      entry.status = reply.status;
      return reply;
    },
  };
  return log;
}
