/** Every way a request is turned away or accepted without a stream: one table, with and without an Origin. @module */
import { beforeAll, describe, expect, test } from "vitest";
import { ACCEPT_BOTH, type McpSession, openSession } from "../support/mcp.ts";
import { initialize, LATEST, type Message, notification, request, toolCall } from "../support/messages.ts";
import { serve, type Subject } from "../support/subject.ts";

interface Row {
  readonly when: string;
  readonly method?: string;
  /** The session that the request names; none by default. */
  readonly session?: "live" | "ended" | { readonly id: string };
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is where it is text or bytes, else as JSON. */
  readonly body?: unknown;
  readonly status: number;
  readonly code?: number;
  readonly message?: string | RegExp;
  readonly allow?: string;
}

/** Well-formed, and nobody's. */
const NEVER_ISSUED = { id: "0123456789abcdef".repeat(4) };
const PING = request("ping");
const LIMIT = 2000;

/** C-06, P-26: an id is 1 to 128 of `A-Z a-z 0-9 _ -`. */
const MALFORMED = ["", "a/b", "a:b", "a b", "a.b", "a/b:c d", "café", "x".repeat(129), "a,b"];

/** behaviours.md §6, P-12, P-15, P-17, P-19, B4–B6, B25, B26, B29–B31. */
const REFUSED: readonly Row[] = [
  ...["POST", "GET", "DELETE"].flatMap((method): Row[] => [
    ...MALFORMED.map((id): Row => ({
      when: `${method} names the malformed session ${JSON.stringify(id.slice(0, 10))}`,
      method,
      session: { id },
      status: 400,
      code: -32600,
    })),
    {
      when: `${method} names a session that was never issued`,
      method,
      session: NEVER_ISSUED,
      status: 404,
      code: -32001,
      message: "Session not found",
    },
    {
      when: `${method} names a session that its client ended`,
      method,
      session: "ended",
      status: 404,
      code: -32001,
      message: "Session not found",
    },
  ]),
  {
    when: "DELETE names no session",
    method: "DELETE",
    status: 400,
    code: -32600,
    message: "Invalid Request: Missing mcp-session-id header",
  },
  { when: "the body is not JSON", session: "live", body: "{", status: 400, code: -32700 },
  { when: "the body is empty", session: "live", body: "", status: 400, code: -32700 },
  {
    when: "the body is not UTF-8",
    session: "live",
    // Fine JSON but for the byte 0xff, which no UTF-8 text has.
    body: Uint8Array.from(JSON.stringify(toolCall("echo", { text: "\u00ff" })), (char) => char.charCodeAt(0)),
    status: 400,
    code: -32700,
  },
  ...[
    "null",
    "17",
    '"ping"',
    "{}",
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"method":17}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
    '{"jsonrpc":"2.0","id":"a","method":"ping","result":{}}',
    '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    "[]",
    '[{"jsonrpc":"2.0","id":1,"method":"ping"},17]',
  ].map((body): Row => ({ when: `the body is ${body}`, session: "live", body, status: 400, code: -32600 })),
  // Both SDKs drop these without a word.
  ...["null", "[]", "5", '{"progressToken":null}', '{"progressToken":{}}', '{"progressToken":1.5}'].map(
    (meta): Row => ({
      when: `_meta is ${meta}`,
      session: "live",
      body: `{"jsonrpc":"2.0","id":8,"method":"tools/list","params":{"_meta":${meta}}}`,
      status: 400,
      code: -32602,
      message: /params\._meta/,
    }),
  ),
  {
    when: "initialize has a _meta that is null",
    body: '{"jsonrpc":"2.0","id":8,"method":"initialize","params":{"_meta":null}}',
    status: 400,
    code: -32602,
    message: /params\._meta/,
  },
  ...["POST", "GET"].map((method): Row => ({
    when: `${method} names a protocol version that there is not`,
    method,
    session: "live",
    headers: { "MCP-Protocol-Version": "1900-01-01" },
    status: 400,
    code: -32022,
    message: /1900-01-01.*2025-11-25/,
  })),
  { when: "GET names no session", method: "GET", status: 405, code: -32000, allow: "POST, DELETE" },
  ...["PUT", "PATCH", "HEAD"].map((method): Row => ({
    when: `the method is ${method}`,
    method,
    session: "live",
    status: 405,
    code: -32000,
    allow: "GET, POST, DELETE",
  })),
  ...["text/html", "image/*", "application/json;q=0, text/event-stream;q=0"].map((accept): Row => ({
    when: `POST accepts only ${accept}`,
    session: "live",
    headers: { Accept: accept },
    status: 406,
    code: -32000,
    message: /Not Acceptable/,
  })),
  ...["application/json", "text/event-stream;q=0"].map((accept): Row => ({
    when: `GET accepts only ${accept}`,
    method: "GET",
    session: "live",
    headers: { Accept: accept },
    status: 406,
    code: -32000,
  })),
  {
    when: "the body is larger than it may be",
    session: "live",
    body: toolCall("echo", { text: "x".repeat(LIMIT) }),
    status: 413,
    code: -32000,
    message: new RegExp(String(LIMIT)),
  },
  ...["text/plain", "application/jsonx", "application/x-www-form-urlencoded"].map((type): Row => ({
    when: `the content type is ${type}`,
    session: "live",
    headers: { "Content-Type": type },
    status: 415,
    code: -32000,
  })),
  ...["gzip", "identity, br", "deflate"].map((coding): Row => ({
    when: `the body is said to be ${coding}`,
    session: "live",
    headers: { "Content-Encoding": coding },
    status: 415,
    code: -32000,
    message: /Content-Encoding/,
  })),
  {
    when: "initialize names a session that is initialised",
    session: "live",
    body: initialize(),
    status: 400,
    code: -32600,
    message: /already initialized/,
  },
];

/** B6: what needs no answer gets none. */
const ACCEPTED: readonly Row[] = [
  { when: "a notification", body: notification("notifications/roots/list_changed") },
  { when: "an answer that nobody waits for", body: { jsonrpc: "2.0", id: "nobody", result: {} } },
  {
    when: "an error response that nobody waits for",
    body: { jsonrpc: "2.0", id: "nobody", error: { code: -32603, message: "no" } },
  },
  {
    when: "an error response with a null id",
    body: { jsonrpc: "2.0", id: null, error: { code: -32700, message: "no" } },
  },
  {
    when: "an error response without an id",
    body: { jsonrpc: "2.0", error: { code: -32700, message: "no" } },
  },
].map((row) => ({ ...row, session: "live", status: 202 }));

export function testStatus(subject: Subject): void {
  describe("answers without a stream (behaviours.md §6)", () => {
    const server = serve(subject, { HOLDFAST_MAX_BODY_BYTES: String(LIMIT) });
    let live: McpSession;
    let ended: McpSession;
    beforeAll(async () => {
      live = await openSession(server.url);
      ended = await openSession(server.url);
      expect((await ended.fetch("DELETE")).status).toBe(204);
    });

    const send = (row: Row, more: Readonly<Record<string, string>> = {}): Promise<Response> => {
      const named = row.session === "live" ? live : row.session === "ended" ? ended : row.session;
      const method = row.method ?? "POST";
      const headers = {
        Accept: method === "GET" ? "text/event-stream" : ACCEPT_BOTH,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": LATEST,
        ...(named === undefined ? {} : { "Mcp-Session-Id": latin1(named.id) }),
        ...row.headers,
        ...more,
      };
      const body = method === "POST" ? bodyOf(row.body ?? PING) : undefined;
      return fetch(`${server.url}/mcp`, { method, headers, ...(body === undefined ? {} : { body }) });
    };

    test.each(REFUSED)("$status where $when", async (row) => {
      const answer = await send(row);
      expect(answer.status).toBe(row.status);
      expect(answer.headers.get("mcp-session-id")).toBeNull();
      // Caches may keep 404 and 405 by themselves, under the URL alone, which is everybody's.
      expect(answer.headers.get("cache-control")).toBe((row.method ?? "POST") === "POST" ? null : "no-store");
      if (row.allow !== undefined) expect(answer.headers.get("allow")).toBe(row.allow);
      if (row.method === "HEAD") return;
      expect(answer.headers.get("content-type")).toBe("application/json");
      const message = row.message === undefined ? expect.any(String) : expect.stringMatching(row.message);
      expect(await answer.json()).toMatchObject({
        jsonrpc: "2.0",
        id: refusedId(row),
        error: { code: row.code, message },
      });
    });

    test.each(ACCEPTED)("202 without a body for $when", async (row) => {
      const answer = await send(row);
      expect(answer.status).toBe(202);
      expect(await answer.text()).toBe("");
    });

    test.each([...REFUSED, ...ACCEPTED])("a page can see the $status where $when (CORS)", async (row) => {
      const origin = "http://localhost:3000";
      const answer = await send(row, { Origin: origin });
      expect(answer.status).toBe(row.status);
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
      expect(answer.headers.get("access-control-expose-headers")).toMatch(/Mcp-Session-Id/i);
      expect(answer.headers.get("vary")).toMatch(/Origin/i);
    });

    test("the 404 has the body that clients match on (P-06)", async () => {
      const answer = await send({
        when: "",
        session: NEVER_ISSUED,
        status: 404,
        body: request("ping", {}, 7),
      });
      expect(await answer.text()).toBe(
        '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":7}',
      );
    });

    test("nothing that was refused had an effect on the session that it named", async () => {
      expect(await live.tool("echo", { text: "still here" })).toBe("still here");
    });

    test("what a handler throws is answered as the request's own JSON-RPC error (P-27, P-28)", async () => {
      const thrown = request("test/throw", { message: "out of paper" });
      const answer = await live.post(thrown);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({
        jsonrpc: "2.0",
        id: thrown.id,
        error: { code: -32603, message: "out of paper" },
      });
    });

    test("a method that nobody handles is answered as the request's own JSON-RPC error", async () => {
      const missing = request("no/such/method");
      const answer = await live.post(missing);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ id: missing.id, error: { code: -32601 } });
    });
  });
}

/** A refusal has the id of the request that it is about: some clients wait for it, whatever the status says. */
function refusedId({ method = "POST", status, body = PING }: Row): unknown {
  // What is not declared as JSON is not read.
  if (method !== "POST" || status === 415 || body instanceof Uint8Array) return null;
  try {
    return (JSON.parse(bodyOf(body) as string) as Message | null)?.id ?? null;
  } catch {
    return null;
  }
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof body === "string" || body instanceof Uint8Array) return body as string | Uint8Array<ArrayBuffer>;
  return JSON.stringify(body);
}

/** Header values are bytes: a text in UTF-8, as a client would send it. */
function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
