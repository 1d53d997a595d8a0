/** Paths, `/health` and `/info`, and the bounds of a request's body. @module */
import { describe, expect, test } from "vitest";
import { ACCEPT_BOTH, openSession, post } from "../support/mcp.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { rawRequest } from "../support/raw-http.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const LIMIT = 10_000;

export function testOperations(subject: Subject): void {
  describe("operations", () => {
    const server = serve(subject, {
      HOLDFAST_MAX_BODY_BYTES: String(LIMIT),
      HOLDFAST_RETRY_MS: "4321",
      HOLDFAST_RECOVERY: "spec",
      HOLDFAST_LOG_LEVEL: "debug",
      TEST_AUTH: "on",
      SECRET_TOKEN: "hunter2",
    });
    const auth = { Authorization: "Bearer ann:secret-token" };

    /** Sessions that the server has said it created. */
    const created = (): number => server.events().filter(({ type }) => type === "session.created").length;

    test("/health answers anybody, and creates nothing (G-27, P-15)", async () => {
      const before = created();
      for (let i = 0; i < 5; i++) {
        const answer = await fetch(`${server.url}/health`);
        expect(answer.headers.get("cache-control")).toBe("no-store");
        expect(answer.status).toBe(200);
        expect(answer.headers.get("content-type")).toBe("application/json");
        const { status, timestamp } = (await answer.json()) as { status: string; timestamp: string };
        expect(status).toBe("ok");
        expect(Number.isNaN(Date.parse(timestamp))).toBe(false);
      }
      expect(created()).toBe(before);
    });

    test("/info tells name, versions, endpoints and the settings in force (L-22)", async () => {
      const answer = await fetch(`${server.url}/info`, { headers: auth });
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        name: "holdfast-test",
        version: "0.0.0",
        protocolVersions: expect.arrayContaining(["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]),
        endpoints: { mcp: "/mcp", sse: "/sse", messages: "/messages", health: "/health", info: "/info" },
        settings: { retryMs: 4321, maxBodyBytes: LIMIT, recovery: "spec", keepaliveMode: "comment" },
      });
    });

    test("HEAD /info is answered as GET is, without the body", async () => {
      const answer = await fetch(`${server.url}/info`, { method: "HEAD", headers: auth });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
      expect(await answer.text()).toBe("");
    });

    test("/info tells no secret", async () => {
      const text = await (await fetch(`${server.url}/info`, { headers: auth })).text();
      expect(text).not.toMatch(/hunter2|secret|token|ann/i);
    });

    test("no GET, and nothing that is turned away, creates a session (P-12, P-15)", async () => {
      const before = created();
      const mcp = `${server.url}/mcp`;
      await fetch(`${server.url}/info`, { headers: auth });
      await fetch(mcp, { headers: { ...auth, Accept: "text/event-stream" } });
      for (const method of ["ping", "tools/list", "tools/call"]) await post(mcp, request(method), auth);
      await post(mcp, [initialize()], auth);
      await post(mcp, initialize());
      // Their own traces show that the server has seen them all by now.
      await eventually(() => {
        const posts = server.events().filter(({ type, method }) => type === "request" && method === "POST");
        expect(posts.length).toBeGreaterThanOrEqual(5);
      });
      expect(created()).toBe(before);
      await openSession(server.url, { headers: auth });
      await eventually(() => expect(created()).toBe(before + 1));
    });

    test("a trailing slash makes no difference", async () => {
      const opened = await post(`${server.url}/mcp/`, initialize(), auth);
      expect(opened.status).toBe(200);
      const id = opened.headers.get("mcp-session-id") ?? "";
      const headers = { ...auth, "Mcp-Session-Id": id };
      expect((await post(`${server.url}/mcp/`, request("ping"), headers)).status).toBe(200);
      const sse = await fetch(`${server.url}/sse/`, { headers: { ...auth, Accept: "text/event-stream" } });
      expect(sse.status).toBe(200);
      await sse.body?.cancel();
      expect((await fetch(`${server.url}/info/`, { headers: auth })).status).toBe(200);
      expect((await fetch(`${server.url}/health/`)).status).toBe(200);
    });

    test("a body over the limit is refused while it is read, without a Content-Length", async () => {
      const session = await openSession(server.url, { headers: auth });
      const headers = { ...session.headers, Accept: ACCEPT_BOTH, "Content-Type": "application/json" };
      const body = JSON.stringify(toolCall("echo", { text: "x".repeat(LIMIT) }));
      const chunks = body.match(/.{1,1000}/g) ?? [];
      const answer = await rawRequest(`${server.url}/mcp`, { method: "POST", headers, chunks });
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.text)).toMatchObject({ error: { code: -32000 } });
    });

    test("a body at the limit is taken, in however many chunks", async () => {
      const session = await openSession(server.url, { headers: auth });
      const headers = { ...session.headers, Accept: ACCEPT_BOTH, "Content-Type": "application/json" };
      const empty = JSON.stringify(toolCall("echo", { text: "" }, { id: "full" }));
      const body = JSON.stringify(
        toolCall("echo", { text: "ü".repeat(Math.floor((LIMIT - empty.length) / 2)) }, { id: "full" }),
      );
      const bytes = Buffer.from(body);
      const chunks = Array.from({ length: Math.ceil(bytes.length / 333) }, (_, n) =>
        bytes.subarray(n * 333, n * 333 + 333),
      );
      const answer = await rawRequest(`${server.url}/mcp`, { method: "POST", headers, chunks });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toMatchObject({ id: "full", result: {} });
    });

    test("without an Accept, POST and GET are not acceptable", async () => {
      const session = await openSession(server.url, { headers: auth });
      const headers = { ...session.headers, "Content-Type": "application/json" };
      const chunks = [JSON.stringify(request("ping"))];
      expect((await rawRequest(`${server.url}/mcp`, { method: "POST", headers, chunks })).status).toBe(406);
      expect((await rawRequest(`${server.url}/mcp`, { headers })).status).toBe(406);
    });

    test("without a Content-Type, a POST is not JSON", async () => {
      const session = await openSession(server.url, { headers: auth });
      const headers = { ...session.headers, Accept: ACCEPT_BOTH };
      const chunks = [JSON.stringify(request("ping"))];
      expect((await rawRequest(`${server.url}/mcp`, { method: "POST", headers, chunks })).status).toBe(415);
    });

    test.each(["/mcp", "/sse"])("HEAD %s opens no stream", async (path) => {
      const session = await openSession(server.url, { headers: auth });
      const answer = await fetch(`${server.url}${path}`, {
        method: "HEAD",
        headers: { ...session.headers, Accept: "text/event-stream" },
      });
      expect(answer.status).toBe(405);
      expect(
        server
          .events()
          .filter(({ type, session: id }) => type === "connection.setup" && id === session.id.slice(0, 8)),
      ).toEqual([]);
    });

    test.each(["PUT", "PATCH", "DELETE"])(
      "%s on the HTTP+SSE endpoints: 405 that says what is allowed",
      async (method) => {
        const allow = async (path: string): Promise<[number, string | null]> => {
          const answer = await fetch(`${server.url}${path}`, { method, headers: auth });
          return [answer.status, answer.headers.get("allow")];
        };
        expect(await allow("/sse")).toEqual([405, "GET"]);
        expect(await allow("/messages")).toEqual([405, "POST"]);
      },
    );
  });

  describe("a base path", () => {
    const server = serve(subject, { HOLDFAST_BASE_PATH: "/api/v1" });

    test("moves every route, and what names them", async () => {
      expect((await post(`${server.url}/mcp`, initialize())).status).toBe(404);
      const session = await openSession(`${server.url}/api/v1`);
      expect(await session.tool("echo", { text: "moved" })).toBe("moved");
      const info = (await (await fetch(`${server.url}/api/v1/info`)).json()) as {
        endpoints: { mcp: string };
      };
      expect(info.endpoints.mcp).toBe("/api/v1/mcp");
    });
  });
}
