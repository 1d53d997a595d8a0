/** Which era a request belongs to, and what stands before both (C1 to C15, C29 to C31). */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hosts } from "../support/hosts.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { initialize, notification, request, textOf, toolCall } from "../support/messages.ts";
import { ask, call, headersFor, listen, MODERN, modernRequest, postModern } from "../support/modern.ts";
import { readEvents } from "../support/sse.ts";
import { serve } from "../support/subject.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

describe.each(hosts)("on $name", (host) => {
  const server = serve(host, { HOLDFAST_LOG_LEVEL: "debug", HOLDFAST_MAX_BODY_BYTES: "10000" });

  describe("a request of 2026-07-28", () => {
    test("is answered without a session: nothing is minted or echoed", async () => {
      const created = (): number => server.events().filter(({ type }) => type === "session.created").length;
      const before = created();
      const response = await postModern(server.url, modernRequest("tools/list"));
      expect(response.status).toBe(200);
      expect(response.headers.has("mcp-session-id")).toBe(false);
      const { result } = (await response.json()) as { result: Record<string, unknown> };
      expect(result).toMatchObject({ resultType: "complete", cacheScope: "public" });
      expect(await call(server.url, "echo", { text: "hello" })).toBe("hello");
      const unknown = await ask(server.url, "tools/call", { name: "no such tool", arguments: {} });
      expect(unknown.error).toMatchObject({ code: -32602 });
      expect(created()).toBe(before);
    });

    test.each(["stale-0123", "not a session id!", "f".repeat(64)])(
      "is served with the session id %j, which means nothing (C30)",
      async (id) => {
        const response = await postModern(server.url, modernRequest("tools/list"), { "Mcp-Session-Id": id });
        expect(response.status).toBe(200);
        expect(response.headers.has("mcp-session-id")).toBe(false);
      },
    );

    test("leaves a session alone whose id it carries", async () => {
      const session = await openSession(server.url);
      const response = await postModern(
        server.url,
        modernRequest("tools/call", { name: "whoami", arguments: {} }),
        session.headers,
      );
      // The header names another revision than the body: that is for the SDK to refuse.
      expect(response.status).toBe(400);
      const whoami = await call(server.url, "whoami", {}, { "Mcp-Session-Id": session.id });
      expect(JSON.parse(whoami ?? "")).toMatchObject({ sessionId8: null, protocolVersion: MODERN });
      expect(await session.tool("counter")).toBe("1");
    });

    test("writes no event ids on a stream", async () => {
      const message = modernRequest("tools/call", {
        name: "sleep",
        arguments: { ms: 50, steps: 5 },
        _meta: { progressToken: "p" },
      });
      const stream = readEvents(await postModern(server.url, message, { "Last-Event-ID": "1.1" }));
      expect(await stream.rest()).toHaveLength(6);
      expect(stream.text).not.toMatch(/^id:/m);
      expect(stream.text).not.toMatch(/^retry:/m);
      const { headers } = stream.response;
      expect(headers.get("x-accel-buffering")).toBe("no");
    });

    test("that only its header marks is told what its body lacks", async () => {
      const response = await post(
        `${server.url}/mcp`,
        request("tools/list"),
        headersFor(request("tools/list")),
      );
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: -32602 } });
    });

    test("that only its body marks is told what its headers lack", async () => {
      const response = await post(`${server.url}/mcp`, modernRequest("tools/list"));
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: -32020 } });
    });

    test.each(["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"])(
      "for %s finds no such method (C15)",
      async (method) => {
        const message = modernRequest(method, {}, "mine");
        const response = await postModern(server.url, message);
        expect(response.status).toBe(404);
        expect(await response.json()).toMatchObject({ id: "mine", error: { code: -32601 } });
      },
    );

    test("of a later revision is told which is served (C11)", async () => {
      const message = modernRequest("tools/list", {
        _meta: { "io.modelcontextprotocol/protocolVersion": "2099-01-01" },
      });
      const response = await postModern(server.url, message, { "MCP-Protocol-Version": "2099-01-01" });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: { code: -32022, data: { supported: [MODERN], requested: "2099-01-01" } },
      });
    });

    test("must be alone, and must be a request (C3)", async () => {
      const batch = await post(`${server.url}/mcp`, [modernRequest("tools/list")], {
        "MCP-Protocol-Version": MODERN,
      });
      expect(batch.status).toBe(400);
      expect(await batch.json()).toMatchObject({ error: { code: -32600 } });
      const answer = { jsonrpc: "2.0", id: 1, result: {} };
      const response = await post(`${server.url}/mcp`, answer, { "MCP-Protocol-Version": MODERN });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: -32600 } });
    });

    test("that is a notification is accepted (C4)", async () => {
      const response = await postModern(server.url, notification("notifications/whatever"));
      expect(response.status).toBe(202);
      expect(await response.text()).toBe("");
    });

    test.each(["application/json", "text/event-stream", "text/html"])(
      "needs both types, not %s alone (C5)",
      async (accept) => {
        const response = await postModern(server.url, modernRequest("tools/list"), { Accept: accept });
        expect(response.status).toBe(406);
        expect(await response.json()).toMatchObject({ error: { code: -32000 } });
      },
    );

    test("over the limit is not read", async () => {
      const message = modernRequest("tools/call", { name: "echo", arguments: { text: "x".repeat(10_000) } });
      expect((await postModern(server.url, message)).status).toBe(413);
    });

    test("from a foreign page is refused, from an allowed one it can be read (C2)", async () => {
      const foreign = await postModern(server.url, modernRequest("tools/list"), {
        Origin: "https://evil.example",
      });
      expect(foreign.status).toBe(403);
      const origin = "http://localhost:5173";
      const own = await postModern(server.url, modernRequest("tools/list"), { Origin: origin });
      expect(own.headers.get("access-control-allow-origin")).toBe(origin);
      const stream = await listen(server.url, { toolsListChanged: true }, { headers: { Origin: origin } });
      expect(stream.response.headers.get("access-control-allow-origin")).toBe(origin);
      stream.leave();
      const preflight = await fetch(`${server.url}/mcp`, {
        method: "OPTIONS",
        headers: {
          Origin: origin,
          "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers":
            "content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-param-region",
        },
      });
      const allowed = preflight.headers.get("access-control-allow-headers")?.toLowerCase() ?? "";
      for (const name of ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region"]) {
        expect(allowed).toContain(name);
      }
    });

    test("is listed among the versions", async () => {
      const info = (await (await fetch(`${server.url}/info`)).json()) as { protocolVersions: string[] };
      expect(info.protocolVersions[0]).toBe(MODERN);
      expect(info.protocolVersions).toContain("2025-11-25");
    });
  });

  describe("a request of the session eras, on the same URL", () => {
    test.each([undefined, "2025-11-25", MODERN])(
      "`initialize` with the header %s opens a session",
      async (version) => {
        const response = await post(`${server.url}/mcp`, initialize(), { "MCP-Protocol-Version": version });
        expect(response.status).toBe(200);
        expect(response.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
      },
    );

    test("without a session is served by a server of its own era", async () => {
      const answer = await answerOf(await post(`${server.url}/mcp`, toolCall("whoami")));
      expect(JSON.parse(textOf(answer) ?? "")).toMatchObject({ protocolVersion: "2025-03-26" });
    });

    test("GET and DELETE keep the rules of sessions (C31)", async () => {
      const versions = { "MCP-Protocol-Version": MODERN };
      const get = await fetch(`${server.url}/mcp`, { headers: { Accept: "text/event-stream", ...versions } });
      expect([get.status, get.headers.get("allow")]).toEqual([405, "POST, DELETE"]);
      const session = await openSession(server.url);
      const named = await session.fetch("GET", versions);
      expect(named.status).toBe(400);
      const { error } = (await named.json()) as { error: { code: number; data: { supported: string[] } } };
      expect(error.code).toBe(-32022);
      expect(error.data.supported).not.toContain(MODERN);
      expect((await session.fetch("DELETE")).status).toBe(204);
    });
  });

  describe("without the option `modern`", () => {
    const plain = serve(host, { TEST_MODERN: "off" });

    test("2026-07-28 is refused, with the versions that are served", async () => {
      const response = await postModern(plain.url, modernRequest("server/discover"));
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: {
          code: -32022,
          data: { requested: MODERN, supported: expect.arrayContaining(["2025-11-25"]) },
        },
      });
      expect(response.headers.has("mcp-session-id")).toBe(false);
      const info = (await (await fetch(`${plain.url}/info`)).json()) as { protocolVersions: string[] };
      expect(info.protocolVersions).not.toContain(MODERN);
    });
  });
});

describe("on Durable Objects", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd();
  });
  afterAll(() => server?.close());

  /** Files of the objects of a namespace. */
  const objects = (uniqueKey: string): string[] => {
    const path = join(server.storage, uniqueKey);
    return existsSync(path) ? readdirSync(path).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)) : [];
  };

  test("no modern request touches a session or writes anything, whatever id it carries", async () => {
    for (const method of ["server/discover", "tools/list", "prompts/list", "resources/list"]) {
      await ask(server.url, method, {}, { "Mcp-Session-Id": "f".repeat(64) });
    }
    expect(await call(server.url, "echo", { text: "hello" })).toBe("hello");
    expect(await call(server.url, "sleep", { ms: 50, steps: 5 })).toBe("slept");
    expect(objects("holdfast")).toEqual([]);
    expect(objects("holdfast-hub")).toEqual([]);
    // What a session leaves.
    await openSession(server.url);
    expect(objects("holdfast")).not.toEqual([]);
  });
});
