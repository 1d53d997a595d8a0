/** Connecting fails once, says what was wrong, and leaves the client usable: G-02 … G-04, G-19, G-22. */
import type { IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConnectError } from "../../src/client/index.ts";
import { eventually, within } from "../support/wait.ts";
import { cleanUp } from "./support/cleanup.ts";
import { type Connecting, prepareConnect } from "./support/connecting.ts";
import { serveHttp } from "./support/http-server.ts";
import { type Handle, misbehaving, status } from "./support/misbehaving.ts";
import { URL_OF_SCRIPT } from "./support/raw-session.ts";
import { logRequests } from "./support/requests.ts";
import { type PlainClient, SDK_PARTS, textOf } from "./support/sdk-parts.ts";
import { startSpecServer } from "./support/spec-server.ts";

afterEach(cleanUp);

describe.each(SDK_PARTS)("with $name", (parts) => {
  let client: PlainClient;
  let heard: string[];
  let open: Connecting["open"];
  beforeEach(() => {
    ({ client, heard, open } = prepareConnect(parts));
  });

  describe("fails once, with what was wrong", () => {
    const failures: Record<string, { handle: Handle; expected: object; words: RegExp; eras?: ["legacy"] }> = {
      "a server that breaks the connection": {
        handle: (request) => request.socket.destroy(),
        expected: { reason: "network", status: undefined },
        words: /no answer/,
      },
      "an answer that is not MCP": {
        handle: (_, response) =>
          response.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>"),
        expected: { reason: "content-type", status: 200 },
        words: /not an MCP endpoint: its answer is text\/html/,
      },
      "an answer without a type": {
        handle: (_, response) => response.writeHead(200).end("hello"),
        expected: { reason: "content-type", status: 200 },
        words: /of no type/,
      },
      "an answer that breaks off": {
        handle: (_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
          response.write('{"jsonrpc"');
          setImmediate(() => response.destroy());
        },
        expected: { reason: "closed", status: 200 },
        words: /ended before it was complete/,
      },
      "a stream that ends before the answer": {
        handle: (_, response) =>
          response.writeHead(200, { "content-type": "text/event-stream" }).end(": hello\n\n"),
        expected: { reason: "closed", status: 200 },
        words: /ended before it was complete/,
      },
      "a refusal in JSON-RPC": {
        handle: (request, response) => {
          let body = "";
          request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
          request.on("end", () => {
            const { id } = JSON.parse(body) as { id: unknown };
            response.writeHead(200, { "content-type": "application/json" });
            response.end(
              JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32602, message: "no such client" } }),
            );
          });
        },
        expected: { reason: "protocol", status: 200 },
        words: /no such client/,
      },
      "JSON that is no JSON-RPC": {
        handle: (_, response) =>
          response.writeHead(200, { "content-type": "application/json" }).end('{"hello":1}'),
        expected: { reason: "protocol", status: 200 },
        words: /: it is not an MCP endpoint: its answer is no JSON-RPC \(HTTP 200\)$/,
      },
      "a refusal that says why, in JSON-RPC": {
        handle: (_, response) =>
          response
            .writeHead(500, { "content-type": "application/json" })
            .end('{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"plan\\nexpired"}}'),
        expected: { reason: "http", status: 500 },
        words: /: HTTP 500: plan expired$/,
      },
      "a refusal in the words of OAuth": {
        handle: (_, response) =>
          response
            .writeHead(403, { "content-type": "application/json" })
            .end('{"error":"insufficient_scope","error_description":"Needs mcp:write"}'),
        expected: { reason: "unauthorized", status: 403 },
        words: /: Needs mcp:write$/,
      },
      "a refusal at great length": {
        handle: (_, response) => response.writeHead(500).end("x".repeat(1_000_000)),
        expected: { reason: "http", status: 500 },
        words: /: HTTP 500: x{256}…$/,
      },
      "a refusal in HTML": {
        handle: (_, response) =>
          response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>"),
        expected: { reason: "http", status: 502 },
        words: /: HTTP 502$/,
      },
      "401": {
        handle: status(401),
        expected: { reason: "unauthorized", status: 401 },
        words: /it asks for credentials \(HTTP 401\): no$/,
      },
      "403": {
        handle: status(403),
        expected: { reason: "unauthorized", status: 403 },
        words: /it asks for other credentials \(HTTP 403\): no$/,
      },
      "404": {
        handle: status(404),
        expected: { reason: "http", status: 404 },
        words: /HTTP 404: no; HTTP\+SSE: HTTP 404/,
      },
      "500": { handle: status(500), expected: { reason: "http", status: 500 }, words: /HTTP 500: no$/ },
      "503": { handle: status(503), expected: { reason: "http", status: 503 }, words: /HTTP 503: no$/ },
      "HTTP+SSE: a stream that ends before its endpoint": {
        eras: ["legacy"],
        handle: (_, response) =>
          response.writeHead(200, { "content-type": "text/event-stream" }).end(": hello\n\n"),
        expected: { reason: "closed", status: 200 },
        words: /ended before it was complete/,
      },
      "HTTP+SSE: a page in place of a stream": {
        eras: ["legacy"],
        handle: (_, response) =>
          response.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>"),
        expected: { reason: "content-type", status: 200 },
        words: /not an MCP endpoint/,
      },
      "HTTP+SSE: 500": {
        eras: ["legacy"],
        handle: status(500),
        expected: { reason: "http", status: 500 },
        words: /HTTP 500: no$/,
      },
    };

    test.each(Object.entries(failures))("%s", async (_, { handle, expected, words, eras }) => {
      const url = await misbehaving(handle);
      const settled = vi.fn<(error: unknown) => void>();
      const opening = open(url, eras === undefined ? {} : { eras });
      opening.catch(settled);
      const error = await within(
        opening.then(
          () => undefined,
          (failure: unknown) => failure,
        ),
        "a settlement",
      );
      expect(error).toBeInstanceOf(ConnectError);
      expect(error).toMatchObject({ ...expected, name: "ConnectError", url });
      expect((error as Error).message).toMatch(words);
      expect((error as Error).message).toContain(`Cannot connect to ${url}: `);
      await expectUsable();
      expect(settled).toHaveBeenCalledTimes(1);
      expect(heard).toEqual([]);
    });

    test("a server that refuses the connection", async () => {
      const gone = await serveHttp(() => new Response());
      await gone.stop();
      await expect(open(gone.url)).rejects.toMatchObject({
        reason: "network",
        status: undefined,
        url: `${gone.url}/`,
      });
      await expect(open(gone.url, { eras: ["legacy"] })).rejects.toMatchObject({ reason: "network" });
      await expectUsable();
      expect(heard).toEqual([]);
    });

    test.each([
      ["a server that is silent", undefined],
      ["HTTP+SSE: a server that is silent", ["legacy"] as const],
    ])("%s: after the time-out, and the connection is let go of", async (_, eras) => {
      const gone = new Set<IncomingMessage>();
      const came: IncomingMessage[] = [];
      const url = await misbehaving((request) => {
        came.push(request);
        request.socket.once("close", () => gone.add(request));
      });
      await expect(open(url, { timeoutMs: 100, ...(eras && { eras }) })).rejects.toMatchObject({
        reason: "timeout",
        status: undefined,
        message: `Cannot connect to ${url}: no session within 100 ms`,
      });
      await eventually(() => expect(gone.size).toBe(came.length));
      expect(came).toHaveLength(1);
      await expectUsable();
      expect(heard).toEqual([]);
    });

    test.each([
      ["the default", {}, 10_000],
      ["what is given", { timeoutMs: 2500 }, 2500],
    ])("neither sooner nor later than %s", async (_, options, ms) => {
      vi.useFakeTimers();
      const settled = vi.fn<(error: unknown) => void>();
      const never = (): Promise<Response> => new Promise(() => {});
      open(URL_OF_SCRIPT, { fetch: never, eras: ["session"], ...options }).then(settled, settled);
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(settled).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(settled.mock.lastCall).toMatchObject([{ reason: "timeout" }]);
      vi.useRealTimers();
    });

    test("HTTP+SSE: an endpoint that never comes: after the time-out", async () => {
      const url = await misbehaving((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
      });
      await expect(open(url, { timeoutMs: 100, eras: ["legacy"] })).rejects.toMatchObject({
        reason: "timeout",
      });
      await expectUsable();
    });

    test("the caller's own signal", async () => {
      const leaving = new AbortController();
      const url = await misbehaving(() => leaving.abort(new Error("changed my mind")));
      await expect(open(url, { signal: leaving.signal })).rejects.toMatchObject({
        reason: "aborted",
        cause: new Error("changed my mind"),
      });
      const requests = logRequests();
      await expect(open(url, { signal: leaving.signal, fetch: requests.fetch })).rejects.toMatchObject({
        reason: "aborted",
      });
      expect(requests.sent).toEqual([]);
      await expectUsable();
    });

    test.each([0, -1, Number.NaN, Infinity, 2 ** 31])("a time-out that is none: %d", async (timeoutMs) => {
      await expect(open(URL_OF_SCRIPT, { timeoutMs })).rejects.toThrow(
        new RangeError("timeoutMs must be > 0 and <= 2147482647"),
      );
    });

    /** Whatever went wrong, the client can be connected to another server. */
    async function expectUsable(): Promise<void> {
      const server = await startSpecServer();
      const connection = await open(server.url);
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "usable" } }))).toBe("usable");
      const { onclose } = client;
      Object.assign(client, { onclose: undefined });
      await connection.close();
      Object.assign(client, { onclose });
      await server.close();
    }
  });
});
