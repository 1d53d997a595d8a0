/** Requests of the session eras that name no session: ChatGPT's way, and others' at times. @module */
import { describe, expect, test } from "vitest";
import { answerOf, post } from "../support/mcp.ts";
import { initialize, type Message, notification, request, textOf, toolCall } from "../support/messages.ts";
import { readEvents } from "../support/sse.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

export function testSessionless(subject: Subject): void {
  describe("requests without a session id", () => {
    const server = serve(subject, { TEST_EVENTS: "on" });
    const send = (message: unknown, headers: Record<string, string | undefined> = {}): Promise<Response> =>
      post(`${server.url}/mcp`, message, headers);

    test("the whole sequence of a client that never sends the id back", async () => {
      expect((await send(initialize("2025-06-18"))).status).toBe(200);
      const initialized = await send(notification("notifications/initialized"));
      expect(initialized.status).toBe(202);
      expect(await initialized.text()).toBe("");
      const { result } = await answerOf(await send(request("tools/list")));
      expect(result?.["tools"]).toContainEqual(expect.objectContaining({ name: "echo" }));
      for (const word of ["one", "two", "three"]) {
        const response = await send(toolCall("echo", { text: word }));
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toBe("application/json");
        expect(response.headers.get("mcp-session-id")).toBeNull();
        expect(textOf(await answerOf(response))).toBe(word);
      }
      // Its `initialize` opened a session, which nobody has used and whose time is short; nothing else did.
      await eventually(() => {
        const told = server.events().map(({ type }) => type);
        expect(told.filter((type) => type === "request")).toHaveLength(6);
        expect(told.filter((type) => type.startsWith("session."))).toEqual(["session.created"]);
      });
    });

    test.each([
      [undefined, "2025-03-26"],
      ["2025-03-26", "2025-03-26"],
      ["2025-06-18", "2025-06-18"],
      ["2025-11-25", "2025-11-25"],
    ])("the version header %s is served as %s", async (header, version) => {
      const answer = await answerOf(await send(toolCall("whoami"), { "MCP-Protocol-Version": header }));
      expect(JSON.parse(textOf(answer) ?? "")).toMatchObject({
        protocolVersion: version,
        sessionId8: null,
      });
    });

    test("a version that is not served is refused", async () => {
      const response = await send(toolCall("whoami"), { "MCP-Protocol-Version": "2024-01-01" });
      expect(response.status).toBe(400);
    });

    test("what a tool says before its answer comes on the POST's own stream, without event ids", async () => {
      const message = toolCall("sleep", { ms: 60, steps: 3 }, { progressToken: "p" });
      const stream = readEvents(await send(message));
      const messages = await stream.rest();
      expect(messages.map(({ params }) => params?.["progress"])).toEqual([1, 2, 3, undefined]);
      expect(messages.at(-1)?.id).toBe(message.id);
      expect(stream.seen.every((item) => item.type !== "event" || item.id === undefined)).toBe(true);
    });

    test("a slow and silent call begins its stream before its answer", async () => {
      const response = await send(toolCall("sleep", { ms: 400 }));
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      expect(textOf((await readEvents(response).rest()).at(-1) as Message)).toBe("slept");
    });

    test("a client that reads JSON alone waits for its answer", async () => {
      const response = await send(toolCall("sleep", { ms: 300, steps: 2 }, { progressToken: 1 }), {
        Accept: "application/json",
      });
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(textOf((await response.json()) as Message)).toBe("slept");
    });

    test("a client that reads event streams alone gets one", async () => {
      const response = await send(toolCall("echo", { text: "hi" }), { Accept: "text/event-stream" });
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      expect(textOf((await readEvents(response).rest())[0] as Message)).toBe("hi");
    });

    test("what the server asks of the client is refused to it at once", async () => {
      const { result } = await answerOf(await send(toolCall("ask", { message: "Well?" })));
      expect(result?.["isError"]).toBe(true);
    });

    test("an error of the protocol is answered under the request's id", async () => {
      const answer = await answerOf(await send(request("nonsense/method", {}, "mine")));
      expect(answer).toMatchObject({ id: "mine", error: { code: -32601 } });
    });

    test("batches belong to 2025-03-26 and before", async () => {
      const batch = [
        toolCall("echo", { text: "a" }),
        notification("notifications/x"),
        toolCall("echo", { text: "b" }),
      ];
      const served = (await (await send(batch)).json()) as Message[];
      expect(served.map(textOf).toSorted()).toEqual(["a", "b"]);
      const events = readEvents(await send(batch, { Accept: "text/event-stream" }));
      expect((await events.rest()).map(textOf).toSorted()).toEqual(["a", "b"]);
      expect((await send(batch, { "MCP-Protocol-Version": "2025-06-18" })).status).toBe(400);
    });

    test("GET and DELETE have nothing to work on", async () => {
      const headers = { Accept: "text/event-stream" };
      expect((await fetch(`${server.url}/mcp`, { headers })).status).toBe(405);
      expect((await fetch(`${server.url}/mcp`, { method: "DELETE" })).status).toBe(400);
    });
  });

  describe("requests without a session id, refused", () => {
    const server = serve(subject, { HOLDFAST_SESSIONLESS: "refuse" });

    test.each(["ping", "tools/list", "tools/call"])(
      "POST %s is answered 400, under its id",
      async (method) => {
        const response = await post(`${server.url}/mcp`, request(method, {}, "mine"));
        expect(response.status).toBe(400);
        expect(await response.json()).toMatchObject({
          error: { code: -32000, message: expect.stringMatching(/Mcp-Session-Id header is required/) },
        });
      },
    );

    test("a notification is answered 400", async () => {
      const response = await post(`${server.url}/mcp`, notification("notifications/initialized"));
      expect(response.status).toBe(400);
    });
  });
}
