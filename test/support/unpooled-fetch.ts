/**
 * `fetch` with a connection of its own for each request. Pools keep sockets to a server that has been
 * killed, and the first request afterwards fails on one of them, whatever the server does.
 * @module
 */
import { type IncomingMessage, request as httpRequest } from "node:http";
import { Readable } from "node:stream";

/** Bodies are strings here: the MCP clients send nothing else. */
export function unpooledFetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input);
  const { method = "GET", body, signal } = init;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      url,
      {
        method,
        headers: Object.fromEntries(new Headers(init.headers)),
        agent: false,
        ...(signal ? { signal } : {}),
      },
      (answer) => resolve(toResponse(answer)),
    );
    sent.once("error", (cause) => reject(new TypeError(`fetch failed: ${cause.message}`, { cause })));
    sent.end(typeof body === "string" ? body : undefined);
  });
}

function toResponse(answer: IncomingMessage): Response {
  const { statusCode: status = 0, headers } = answer;
  const names = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  const isEmpty = status === 204 || status === 304;
  if (isEmpty) answer.resume();
  const body = isEmpty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>);
  return new Response(body, { status, headers: names });
}
