/** HTTP requests as fast-check draws them: for the most part what a client sends, in part what nobody should. @module */
import * as fc from "fast-check";
import { body } from "./messages.ts";

/** A session by its role; the driver knows its id. */
export type SessionName = "2025-03-26" | "2025-06-18" | "2025-11-25" | "http+sse";

export const SESSIONS: readonly SessionName[] = ["2025-03-26", "2025-06-18", "2025-11-25", "http+sse"];

/** Stands for a session's id in headers and paths. */
const idOf = (name: SessionName): string => `{${name}}`;

export interface HttpRequest {
  readonly method: string;
  /** May name a session, as header values may: `{2025-11-25}`. */
  readonly path: string;
  readonly headers: readonly Header[];
  readonly body: string | undefined;
}

/** Puts the sessions' ids in their places. */
export function resolved(text: string, ids: ReadonlyMap<string, string>): string {
  return text.replace(/\{([^}]*)\}/g, (whole, name: string) => ids.get(name) ?? whole);
}

const NEVER_ISSUED = "0123456789abcdef".repeat(4);

const usually = <T>(weight: number, first: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(first) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const path = fc.oneof(
  { weight: 12, arbitrary: fc.constant("/mcp") },
  { weight: 2, arbitrary: fc.constant(`/messages?sessionId=${idOf("http+sse")}`) },
  { weight: 1, arbitrary: fc.constant("/sse") },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "/mcp/",
      "/mcp?x=1",
      "/info",
      "/health",
      "/test",
      "/messages",
      "/messages?sessionId=a/b",
      `/messages?sessionId=${NEVER_ISSUED}`,
      `/messages?sessionId=${idOf("2025-11-25")}`,
      `/messages?sessionId=${idOf("http+sse")}&sessionId=x`,
      "/",
      "//mcp",
      "/MCP",
      "/%6dcp",
      "/mcp/../mcp",
      "/%00",
      "/%",
      "/.well-known/oauth-protected-resource",
    ),
  },
);

const method = fc.oneof(
  { weight: 14, arbitrary: fc.constant("POST") },
  { weight: 2, arbitrary: fc.constantFrom("GET", "HEAD", "OPTIONS", "PUT", "PATCH") },
  { weight: 1, arbitrary: fc.constant("DELETE") },
);

type Header = readonly [name: string, value: string];

/** @param percent how often the header is there */
function maybe(name: string, percent: number, value: fc.Arbitrary<string>): fc.Arbitrary<readonly Header[]> {
  const given = value.map((text): readonly Header[] => [[name, text]]);
  return fc.oneof(
    { weight: percent, arbitrary: given },
    { weight: 100 - percent, arbitrary: fc.constant<readonly Header[]>([]) },
  );
}

const session = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...SESSIONS.slice(0, 3).map(idOf)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      NEVER_ISSUED,
      "",
      "null",
      "a/b",
      "x".repeat(200),
      "\xe9",
      `${idOf("2025-11-25")}, ${idOf("2025-11-25")}`,
      `${idOf("2025-11-25")}, ${idOf("2025-06-18")}`,
      idOf("http+sse"),
    ),
  },
);

/** Values as headers carry them: any byte but line ends and NUL. */
const bytes = fc
  .array(fc.integer({ min: 1, max: 255 }), { maxLength: 60 })
  .map((codes) => String.fromCharCode(...codes.filter((code) => code >= 32 && code !== 127)));

/** No names at all: the HTTP server in front answers these in its own words. */
export const BAD_HOSTS: readonly string[] = ["localhost:99999", "a b", ""];

const headers = fc
  .tuple(
    maybe(
      "Content-Type",
      96,
      usually(12, "application/json", "application/json; charset=utf-8, application/json", "text/plain", ""),
    ),
    maybe(
      "Accept",
      96,
      usually(
        12,
        "application/json, text/event-stream",
        "application/json",
        "text/event-stream",
        "*/*",
        "text/html",
        "text/event-stream;q=0, */*;q=0.1",
      ),
    ),
    maybe("Mcp-Session-Id", 85, session),
    maybe(
      "MCP-Protocol-Version",
      50,
      usually(4, "2025-11-25", "2026-07-28", "1900-01-01", "2025-11-25, 2025-11-25", "", "\xff"),
    ),
    maybe("Last-Event-ID", 15, fc.oneof(fc.constantFrom("", "a.0", "zzzzzzz.zz", "x.y.z.1", "1"), bytes)),
    maybe(
      "Origin",
      35,
      usually(4, "http://localhost:3000", "https://evil.example", "null", "http://127.0.0.1:1", "garbage"),
    ),
    maybe("Sec-Fetch-Site", 4, fc.constantFrom("cross-site", "same-origin", "none")),
    maybe("Content-Encoding", 2, fc.constantFrom("gzip", "identity")),
    maybe("Authorization", 8, bytes),
    maybe("User-Agent", 8, bytes),
    maybe("X-Forwarded-For", 8, bytes),
    maybe(
      "Cookie",
      4,
      fc.nat(3000).map((length) => "x".repeat(length)),
    ),
    fc
      .oneof(
        { weight: 20, arbitrary: fc.constant("localhost") },
        {
          weight: 1,
          arbitrary: fc.constantFrom("evil.example", "[::1]", ...BAD_HOSTS, "127.0.0.1.evil.example:80"),
        },
      )
      .map((host): readonly Header[] => [["Host", host]]),
  )
  .map((all) => all.flat());

export const httpRequest: fc.Arbitrary<HttpRequest> = fc
  .tuple(method, path, headers, body)
  .map(([method, path, headers, body]) => ({
    method,
    path,
    headers,
    body: method === "POST" || method === "PUT" || method === "PATCH" ? body : undefined,
  }));

/** Bytes that are no request, or hardly one. */
export const noise: fc.Arbitrary<string> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((codes) => String.fromCharCode(...codes)),
  fc.constantFrom(
    "GET /mcp\r\n\r\n",
    "GET /mcp HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n",
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /mcp HTTP/1.1\r\n\r\n",
    "GET http://evil.example/sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
    "GET /mcp HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "FOO /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    `GET /${"x".repeat(70_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET /mcp HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(70_000)}\r\n\r\n`,
  ),
);
