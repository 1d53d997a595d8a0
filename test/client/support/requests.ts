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
  /** Number of POSTs of a JSON-RPC method, or of requests of an HTTP method. */
  count(method: string): number;
}

export function logRequests(fetch: FetchLike = unpooledFetch): RequestLog {
  const sent: SentRequest[] = [];
  return {
    sent,
    count: (method) =>
      sent.filter((request) => [request.method, request.message?.method].includes(method)).length,
    async fetch(input, init = {}) {
      const { method = "GET", body, headers } = init;
      const message = typeof body === "string" ? (JSON.parse(body) as Message) : undefined;
      const entry: SentRequest = { method, headers: new Headers(headers), message, status: 0 };
      sent.push(entry);
      const reply = await fetch(input, init);
      entry.status = reply.status;
      return reply;
    },
  };
}
