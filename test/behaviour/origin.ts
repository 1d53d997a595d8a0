/** Which web pages may call, and what lets them see the answers. @module */
import { describe, expect, test } from "vitest";
import { ACCEPT_BOTH, openSession, post } from "../support/mcp.ts";
import { initialize, request } from "../support/messages.ts";
import { rawRequest } from "../support/raw-http.ts";
import { serve, type Subject } from "../support/subject.ts";

const ENDPOINTS = [
  { path: "/mcp", method: "POST" },
  { path: "/mcp", method: "GET" },
  { path: "/mcp", method: "DELETE" },
  { path: "/sse", method: "GET" },
  { path: "/messages", method: "POST" },
  { path: "/info", method: "GET" },
] as const;

const FOREIGN = [
  "https://evil.example",
  "http://localhost.evil.example",
  "http://127.0.0.1.evil.example",
  "null",
];
const LOCAL = [
  "http://localhost",
  "http://localhost:3000",
  "https://localhost:8443",
  "http://127.0.0.1:1",
  "http://[::1]:9",
];

export function testOrigin(subject: Subject): void {
  describe("origins (B2, A4, P-25)", () => {
    const server = serve(subject);

    const initializeFrom = (origin: string | undefined, url: string = server.url): Promise<Response> =>
      post(`${url}/mcp`, initialize(), { Origin: origin });

    test("a request without an Origin passes", async () => {
      const answer = await initializeFrom(undefined);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    });

    test.each(ENDPOINTS.flatMap((endpoint) => FOREIGN.map((origin) => ({ ...endpoint, origin }))))(
      "$method $path from the page $origin: 403, and the page cannot read why",
      async ({ method, path, origin }) => {
        const answer = await fetch(`${server.url}${path}`, {
          method,
          headers: { Origin: origin, Accept: "text/event-stream", "Content-Type": "application/json" },
          ...(method === "POST" ? { body: JSON.stringify(initialize()) } : {}),
        });
        expect(answer.status).toBe(403);
        expect(await answer.json()).toMatchObject({ error: { code: -32000 }, id: null });
        expect(answer.headers.get("access-control-allow-origin")).toBeNull();
        expect(answer.headers.get("mcp-session-id")).toBeNull();
      },
    );

    test.each(LOCAL)("the page %s may call a server on localhost", async (origin) => {
      const answer = await initializeFrom(origin);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    });

    test.each(["evil.example", "evil.example:8787"])(
      "a page that rebinds the name %s to this server's address is turned away",
      async (host) => {
        const answer = await rawRequest(`${server.url}/mcp`, {
          method: "POST",
          headers: {
            Host: host,
            Origin: `http://${host}`,
            Accept: ACCEPT_BOTH,
            "Content-Type": "application/json",
          },
          chunks: [JSON.stringify(initialize())],
        });
        expect(answer.status).toBe(403);
      },
    );

    test("under another Host than localhost, a page on localhost is foreign", async () => {
      const headers = { Host: "mcp.example", Origin: "http://localhost:3000" };
      expect((await rawRequest(`${server.url}/info`, { headers })).status).toBe(403);
    });

    test("an event stream carries the CORS headers too", async () => {
      const session = await openSession(server.url);
      for (const path of ["/mcp", "/sse"]) {
        const answer = await fetch(`${server.url}${path}`, {
          headers: { ...session.headers, Accept: "text/event-stream", Origin: "http://localhost:3000" },
        });
        expect(answer.headers.get("content-type")).toBe("text/event-stream");
        expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
        await answer.body?.cancel();
      }
    });

    test.each(ENDPOINTS.map(({ path }) => path))("preflight of %s (G-27)", async (path) => {
      const answer = await fetch(`${server.url}${path}`, {
        method: "OPTIONS",
        headers: {
          Origin: "http://localhost:3000",
          "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers": "content-type, mcp-param-region, mcp-session-id",
        },
      });
      expect(answer.status).toBe(204);
      expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
      expect(answer.headers.get("access-control-max-age")).toBe("86400");
      const allowed = (answer.headers.get("access-control-allow-headers") ?? "").toLowerCase().split(", ");
      expect(allowed).toEqual(
        expect.arrayContaining([
          "content-type",
          "accept",
          "authorization",
          "last-event-id",
          "mcp-session-id",
          "mcp-protocol-version",
          "mcp-method",
          "mcp-name",
          "mcp-param-region",
          "dpop",
          "traceparent",
          "tracestate",
          "baggage",
        ]),
      );
      expect(new Set(allowed).size).toBe(allowed.length);
    });

    test("a preflight names the methods of its path", async () => {
      const methods = async (path: string): Promise<string | null> =>
        (await fetch(`${server.url}${path}`, { method: "OPTIONS" })).headers.get(
          "access-control-allow-methods",
        );
      expect(await methods("/mcp")).toBe("GET, POST, DELETE, OPTIONS");
      expect(await methods("/sse")).toBe("GET, OPTIONS");
      expect(await methods("/messages")).toBe("POST, OPTIONS");
    });

    test("a preflight allows no header but the transport's own and Mcp-…", async () => {
      const answer = await fetch(`${server.url}/mcp`, {
        method: "OPTIONS",
        headers: {
          Origin: "http://localhost:3000",
          "Access-Control-Request-Headers": "x-evil, cookie, mcp-param-ü, mcp-param-ok",
        },
      });
      const allowed = answer.headers.get("access-control-allow-headers");
      expect(allowed).toMatch(/mcp-param-ok/);
      expect(allowed).not.toMatch(/x-evil|cookie|ü/i);
    });

    test("a preflight from a foreign page is turned away", async () => {
      const answer = await fetch(`${server.url}/mcp`, {
        method: "OPTIONS",
        headers: { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" },
      });
      expect(answer.status).toBe(403);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    });
  });

  describe("origins that were listed", () => {
    const server = serve(subject, {
      HOLDFAST_ALLOWED_ORIGINS: "https://app.example, https://other.example:8443",
    });

    test.each([
      ["https://app.example", 200],
      ["https://other.example:8443", 200],
      ["http://localhost:3000", 200],
      ["http://app.example", 403],
      ["https://app.example:444", 403],
      ["https://sub.app.example", 403],
      ["https://app.example.evil.example", 403],
    ])("%s: %d", async (origin, status) => {
      const answer = await post(`${server.url}/mcp`, initialize(), { Origin: origin });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("access-control-allow-origin")).toBe(status === 200 ? origin : null);
    });
  });

  describe("origins and what stands in front of the server", () => {
    const server = serve(subject, { HOLDFAST_PUBLIC_URL: "https://mcp.example/base" });

    test("the origin of publicUrl may call", async () => {
      const session = await openSession(server.url);
      const answer = await session.post(request("ping"), { Origin: "https://mcp.example" });
      expect(answer.status).toBe(200);
      expect((await session.post(request("ping"), { Origin: "https://evil.example" })).status).toBe(403);
    });
  });

  describe("names that the server is reached by", () => {
    const server = serve(subject);
    const listed = serve(subject, {
      HOLDFAST_ALLOWED_HOSTS: "mcp.lan.example, *.mesh.example",
      HOLDFAST_PUBLIC_URL: "https://mcp.example/base",
    });
    const statusOf = async (
      url: string,
      { path, method }: { path: string; method: string },
      headers: Record<string, string>,
    ): Promise<number> => {
      const chunks = method === "POST" ? [JSON.stringify(initialize())] : [];
      const accept = method === "POST" ? ACCEPT_BOTH : "application/json";
      const sent = { Accept: accept, "Content-Type": "application/json", ...headers };
      return (await rawRequest(`${url}${path}`, { method, headers: sent, chunks })).status;
    };

    test.each(ENDPOINTS)("$method $path under a name that a page may have rebound: 403", async (endpoint) => {
      for (const host of [
        "evil.example",
        "evil.example:8787",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
      ]) {
        expect(await statusOf(server.url, endpoint, { Host: host })).toBe(403);
      }
    });

    test("the answer says what to set, and opens nothing", async () => {
      const headers = { Host: "evil.example", Accept: "text/event-stream" };
      const answer = await rawRequest(`${server.url}/sse`, { headers });
      expect(answer.status).toBe(403);
      expect(answer.headers["mcp-session-id"]).toBeUndefined();
      expect(JSON.parse(answer.text)).toMatchObject({
        id: null,
        error: { code: -32000, message: expect.stringMatching(/publicUrl.*allowedHosts/) },
      });
    });

    const info = { path: "/info", method: "GET" };
    test.each<[headers: Record<string, string>]>([
      [{ Host: "localhost:1" }],
      [{ Host: "app.localhost" }],
      [{ Host: "[::1]:8787" }],
      [{ Host: "192.168.1.5:8787" }],
      [{ Host: "mcp" }],
      [{ Host: "mcp.default.svc.cluster.local:8787" }],
      [{ Host: "mcp.example", "X-Forwarded-For": "192.0.2.1" }],
      [{ Host: "mcp.example", "X-Forwarded-Proto": "https" }],
      [{ Host: "mcp.example", Forwarded: "for=192.0.2.1" }],
      [{ Host: "mcp.example", Via: "1.1 proxy" }],
    ])("%j passes", async (headers) => {
      expect(await statusOf(server.url, info, headers)).toBe(200);
      // What one request said of a proxy counts for that one alone.
      expect(await statusOf(server.url, info, { Host: "mcp.example" })).toBe(403);
    });

    test("/health answers under any name", async () => {
      expect((await rawRequest(`${server.url}/health`, { headers: { Host: "evil.example" } })).status).toBe(
        200,
      );
    });

    test.each<[host: string, status: number]>([
      ["localhost", 200],
      ["127.0.0.1:8787", 200],
      ["mcp.example", 200],
      ["mcp.lan.example:8787", 200],
      ["MCP.lan.example", 200],
      ["a.mesh.example", 200],
      ["mesh.example", 403],
      ["evilmesh.example", 403],
      ["sub.mcp.lan.example", 403],
      ["192.168.1.5", 403],
      ["mcp", 403],
    ])("where names are listed, under %s: %d", async (host, status) => {
      expect(await statusOf(listed.url, info, { Host: host })).toBe(status);
      expect(await statusOf(listed.url, info, { Host: host, "X-Forwarded-For": "192.0.2.1" })).toBe(status);
    });
  });

  describe("what a page of another site makes a browser send", () => {
    const server = serve(subject);

    test.each(ENDPOINTS)("$method $path without an Origin: 403", async ({ path, method }) => {
      const headers = {
        Accept: method === "POST" ? ACCEPT_BOTH : "text/event-stream",
        "Content-Type": "application/json",
        "Sec-Fetch-Site": "cross-site",
      };
      const chunks = method === "POST" ? [JSON.stringify(initialize())] : [];
      const answer = await rawRequest(`${server.url}${path}`, { method, headers, chunks });
      expect(answer.status).toBe(403);
      expect(answer.headers["mcp-session-id"]).toBeUndefined();
    });

    test("with an Origin that is allowed it passes, and from the same site too", async () => {
      for (const headers of [
        { "Sec-Fetch-Site": "cross-site", Origin: "http://localhost:3000" },
        { "Sec-Fetch-Site": "same-origin" },
        { "Sec-Fetch-Site": "none" },
      ] as Record<string, string>[]) {
        expect((await rawRequest(`${server.url}/info`, { headers })).status).toBe(200);
      }
    });

    test("a page behind a proxy that ends TLS is told to set publicUrl", async () => {
      const headers = { Host: "mcp.example", Origin: "https://mcp.example", "X-Forwarded-Proto": "https" };
      const answer = await rawRequest(`${server.url}/info`, { headers });
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("publicUrl")]);
    });
  });

  describe("every origin", () => {
    const server = serve(subject, { HOLDFAST_ALLOWED_ORIGINS: "*" });

    test("passes where the server was opened to all by name", async () => {
      const answer = await post(`${server.url}/mcp`, initialize(), { Origin: "https://any.example" });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://any.example");
    });
  });
}
