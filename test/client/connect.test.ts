/** Connecting: one settlement, the right one, and nothing left behind: G-01 … G-09, G-13, G-19, G-21, G-22. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect, ConnectError, type ConnectOptions } from "../../src/client/index.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually, within } from "../support/wait.ts";
import { run } from "../support/process.ts";
import { logEvents } from "./support/events.ts";
import { type HttpServer, serveHttp } from "./support/http-server.ts";
import { NODE_BIN } from "./support/program.ts";
import { URL_OF_SCRIPT } from "./support/raw-session.ts";
import { logRequests } from "./support/requests.ts";
import { createScript, openStream, pass, reply } from "./support/script.ts";
import { type PlainClient, SDK_PARTS, textOf } from "./support/sdk-parts.ts";
import { sdkSessionServer } from "./support/sdk-session-server.ts";
import { startSpecServer } from "./support/spec-server.ts";
import { startSseServer } from "./support/sse-server.ts";
import type { RunningTarget } from "./support/target.ts";

const retry = { initialDelayMs: 5, maxDelayMs: 20, attempts: 100 };
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const closing = <T extends { close(): Promise<unknown> }>(closeable: T): T => {
  cleanups.push(() => closeable.close());
  return closeable;
};

describe.each(SDK_PARTS)("with $name", ({ create, transports, knowsModern }) => {
  let client: PlainClient;
  /** What the application heard of. */
  let heard: string[];
  beforeEach(() => {
    heard = [];
    client = create();
    Object.assign(client, {
      onclose: () => heard.push("close"),
      onerror: (error: Error) => heard.push(`error: ${error.message}`),
    });
  });
  const open = (
    url: string,
    options: Partial<ConnectOptions<PlainClient>> = {},
  ): ReturnType<typeof connect<PlainClient>> =>
    connect(url, { client, transports, retry, fetch: unpooledFetch, ...options });

  describe("chooses", () => {
    test("sessions, where the server has them", async () => {
      const server = closing(await sdkSessionServer.start());
      const connection = closing(await open(server.url));
      expect(connection.era).toBe("session");
      expect(connection.protocolVersion).toMatch(/^2025-/);
      expect(connection.sessionId).toMatch(/^[0-9a-f-]{36}$/);
      expect(connection.url).toBe(server.url);
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "hi" } }))).toBe("hi");
    });

    test("the stateless era first, where client and server know it", async () => {
      const mcp = createMcpHandler(() => {
        const server = new McpServer({ name: "modern", version: "1" });
        server.registerTool("echo", {}, () => ({ content: [{ type: "text", text: "modern" }] }));
        return server;
      });
      const http = await serveHttp((request) => mcp.fetch(request));
      cleanups.push(() => http.stop());
      const connection = closing(await open(http.url));
      expect(connection.era).toBe(knowsModern ? "modern" : "session");
      expect(connection.protocolVersion).toMatch(knowsModern ? "2026-07-28" : /^2025-/);
      expect(connection.sessionId).toBeUndefined();
      expect(textOf(await client.callTool({ name: "echo" }))).toBe("modern");
    });

    test("HTTP+SSE, where there is nothing else", async () => {
      const server = await startSseServer();
      cleanups.push(() => server.stop());
      const connection = closing(await open(server.url));
      expect(connection.era).toBe("legacy");
      expect(connection.protocolVersion).toMatch(/^202/);
      expect(server.opened).toBe(1);
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "old" } }))).toBe("old");
      expect(heard).toEqual([]);
    });

    test("only among the eras that are allowed", async () => {
      const old = await startSseServer();
      cleanups.push(() => old.stop());
      await expect(open(old.url, { eras: ["session"] })).rejects.toMatchObject({
        reason: "http",
        status: 405,
      });
      expect(old.opened).toBe(0);
      const requests = logRequests();
      const server = closing(await sdkSessionServer.start());
      closing(await open(server.url, { eras: ["session"], fetch: requests.fetch }));
      expect(requests.count("server/discover")).toBe(0);
    });

    test("the transports of the installed package, where none are given", async () => {
      const server = closing(await startSpecServer());
      const connection = closing(await connect(server.url, { client, retry, fetch: unpooledFetch }));
      expect(connection.era).toBe("session");
    });
  });

  describe("is up only when the session is", () => {
    test("a server that holds its answer is waited for", async () => {
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const script = createScript(async ({ message }) => {
        if (message?.method === "initialize") await held;
        return message?.method === "server/discover" ? new Response(null, { status: 400 }) : pass();
      });
      const settled = vi.fn<() => void>();
      const opening = open(URL_OF_SCRIPT, { fetch: script.fetch, timeoutMs: 5000 });
      void opening.then(settled, settled);
      await script.nth("initialize", 1);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(settled).not.toHaveBeenCalled();
      release();
      closing(await opening);
      expect(script.of("notifications/initialized")).toHaveLength(1);
    });

    test("what the application asks for meanwhile is held back, and sent in order", async () => {
      const script = createScript(({ message }) =>
        message?.id !== undefined && message.method !== "initialize"
          ? reply(message, { tools: [], content: [] })
          : pass(),
      );
      const opening = open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      const early = ["a", "b", "c"].map((name) => client.callTool({ name }));
      closing(await opening);
      await Promise.all(early);
      expect(
        script.sent
          .filter(({ method }) => method === "POST")
          .map(({ message }) => message?.params?.["name"] ?? message?.method),
      ).toEqual(["initialize", "notifications/initialized", "a", "b", "c"]);
      expect(script.of("tools/call")[0]?.headers.get("mcp-session-id")).toBe("session-1");
    });

    test("and rejects with the connection, where that fails", async () => {
      const script = createScript(() => new Response(null, { status: 500 }));
      const opening = open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      const early = Promise.allSettled([client.callTool({ name: "a" }), client.callTool({ name: "b" })]);
      await expect(opening).rejects.toMatchObject({ reason: "http", status: 500 });
      for (const call of await early) {
        expect(call).toMatchObject({
          status: "rejected",
          reason: { message: expect.stringMatching(/HTTP 500|Connection closed/) as string },
        });
      }
      expect(script.of("tools/call")).toEqual([]);
    });

    test("leaves no timer when it is", async () => {
      vi.useFakeTimers();
      const script = createScript((given) =>
        given.method === "GET" ? openStream(given.signal).response : pass(),
      );
      const connection = await open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      expect(vi.getTimerCount()).toBe(0);
      await connection.close();
      expect(vi.getTimerCount()).toBe(0);
    });
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
      "401": { handle: status(401), expected: { reason: "unauthorized", status: 401 }, words: /HTTP 401/ },
      "403": { handle: status(403), expected: { reason: "unauthorized", status: 403 }, words: /HTTP 403/ },
      "404": {
        handle: status(404),
        expected: { reason: "http", status: 404 },
        words: /HTTP 404; HTTP\+SSE: HTTP 404/,
      },
      "500": { handle: status(500), expected: { reason: "http", status: 500 }, words: /HTTP 500$/ },
      "503": { handle: status(503), expected: { reason: "http", status: 503 }, words: /HTTP 503$/ },
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
        words: /HTTP 500$/,
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

  describe("closes", () => {
    let server: RunningTarget & { http: HttpServer };
    beforeEach(async () => {
      server = closing((await sdkSessionServer.start()) as typeof server);
    });

    test("once, however often it is asked to, and tells the server", async () => {
      const requests = logRequests();
      const connection = await open(server.url, { fetch: requests.fetch });
      await Promise.all([1, 2, 3, 4, 5].map(() => connection.close()));
      await connection.close();
      expect(heard).toEqual(["close"]);
      expect(requests.sent.filter(({ method }) => method === "DELETE").map((sent) => sent.status)).toEqual([
        200,
      ]);
      await eventually(async () => expect(await server.http.connections()).toBe(0));
    });

    test("without a word to the server, where it should not", async () => {
      const requests = logRequests();
      const connection = await open(server.url, { fetch: requests.fetch, terminate: false });
      await connection.close();
      expect(requests.count("DELETE")).toBe(0);
    });

    test("without an error, where the server is gone or the client is closed already", async () => {
      const first = await open(server.url);
      await server.http.stop();
      await first.close();
      await server.http.start();
      const closesHeard = heard.filter((what) => what === "close").length;
      const second = await open(server.url);
      await client.close();
      await second.close();
      expect(heard.filter((what) => what === "close")).toHaveLength(closesHeard + 1);
      expect(heard.filter((what) => what.includes("terminate"))).toEqual([]);
    });

    test("though the server never says that it has ended the session", async () => {
      vi.useFakeTimers();
      const script = createScript(({ method }) => {
        if (method === "GET") return new Response(null, { status: 405 });
        return method === "DELETE" ? new Promise<Response>(() => undefined) : pass();
      });
      const connection = await open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      const closed = connection.close();
      await script.nth("DELETE", 1);
      await vi.advanceTimersByTimeAsync(1000);
      await closed;
      expect(script.of("DELETE")[0]?.signal?.aborted).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  describe("connects anew", () => {
    test("when asked to: another session, the same client", async () => {
      const server = closing(await sdkSessionServer.start());
      const connection = closing(await open(server.url));
      const { sessionId } = connection;
      await Promise.all([connection.reconnect(), connection.reconnect()]);
      expect(connection.sessionId).not.toBe(sessionId);
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "anew" } }))).toBe("anew");
      expect(heard).toEqual([]);
    });

    test("or rejects, by the rules of connect", async () => {
      const server = closing((await sdkSessionServer.start()) as RunningTarget & { http: HttpServer });
      const connection = await open(server.url);
      await server.http.stop();
      await expect(connection.reconnect()).rejects.toMatchObject({ name: "ConnectError", reason: "network" });
      expect(connection.era).toBeUndefined();
      await connection.close();
      await expect(connection.reconnect()).rejects.toMatchObject({ reason: "aborted" });
      await server.http.start();
    });

    test("or closes, where it is closed meanwhile: nothing is left open", async () => {
      const server = closing((await sdkSessionServer.start()) as RunningTarget & { http: HttpServer });
      const requests = logRequests();
      let closed: Promise<void> | undefined;
      const connection = await open(server.url, {
        fetch(input, init) {
          const answer = requests.fetch(input, init);
          if (requests.count("initialize") === 2) closed ??= connection.close();
          return answer;
        },
      });
      await expect(connection.reconnect()).rejects.toMatchObject({ reason: "aborted" });
      await closed;
      await eventually(async () => expect(await server.http.connections()).toBe(0));
      expect(connection.era).toBeUndefined();
    });

    test("by itself, in a session, through the death of the server", async () => {
      const server = closing(await sdkSessionServer.start());
      const events = logEvents();
      closing(await open(server.url, { onEvent: events.onEvent }));
      await server.kill();
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "again" } }))).toBe("again");
      await events.nth("reinitialized");
    });

    test("by itself, where the stream of HTTP+SSE is lost: calls in flight fail, the next ones work", async () => {
      const server = await startSseServer();
      cleanups.push(() => server.stop());
      const events = logEvents();
      const connection = closing(await open(server.url, { onEvent: events.onEvent }));
      const hanging = client.callTool({ name: "hang" });
      await eventually(() => expect(server.called).toBe(1));
      await Promise.all([expect(hanging).rejects.toThrow("Connection closed"), server.stop()]);
      await server.start();
      const { attempts } = await events.nth("reconnected");
      expect(attempts).toBeGreaterThan(0);
      expect(connection.era).toBe("legacy");
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "again" } }))).toBe("again");
      expect(events.all.map(({ type }) => type)).toEqual(["dropped", "reconnected"]);
      expect(heard).not.toContain("close");
    });

    test("and says so once when it cannot", async () => {
      const server = await startSseServer();
      const events = logEvents();
      const connection = await open(server.url, {
        onEvent: events.onEvent,
        retry: { ...retry, attempts: 3 },
      });
      await server.stop();
      const { attempts, cause } = await events.nth("gave-up");
      expect([attempts, (cause as ConnectError).reason]).toEqual([3, "network"]);
      expect(heard.filter((what) => what === "close")).toHaveLength(1);
      await connection.close();
      expect(heard.filter((what) => what === "close")).toHaveLength(1);
    });
  });
});

describe.each(SDK_PARTS)("$name: leaves nothing that keeps a program running", ({ name }) => {
  const program = new URL("support/connect-main.ts", import.meta.url).pathname;
  const output = async (url: string, timeoutMs = 8000): Promise<string> => {
    const { code, stdout, stderr } = await within(
      run([NODE_BIN, program, name, url, String(timeoutMs)]),
      "the end of the program",
    );
    expect([code, stderr]).toEqual([0, ""]);
    return stdout.trim();
  };

  test("after a connection", async () => {
    const server = closing(await sdkSessionServer.start());
    expect(await output(server.url)).toBe("called");
  });

  test("after a time-out", async () => {
    expect(await output(await misbehaving(() => undefined), 100)).toBe("timeout");
  });

  test("after a refusal", async () => {
    expect(await output(await misbehaving(status(500)))).toBe("http");
  });
});

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

function status(code: number): Handle {
  return (_, response) => response.writeHead(code).end("no");
}

/** The URL of a server that does this with every request. */
async function misbehaving(handle: Handle): Promise<string> {
  const server: Server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}
