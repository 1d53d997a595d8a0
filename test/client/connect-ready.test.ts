/** A connection is up when its session is, not before: G-01, G-05, G-09, G-13, G-22. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { cleanUp, closing } from "./support/cleanup.ts";
import { type Connecting, prepareConnect } from "./support/connecting.ts";
import { URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, pass, reply } from "./support/script.ts";
import { type PlainClient, SDK_PARTS } from "./support/sdk-parts.ts";

afterEach(cleanUp);

describe.each(SDK_PARTS)("with $name", (parts) => {
  let client: PlainClient;
  let open: Connecting["open"];
  beforeEach(() => {
    ({ client, open } = prepareConnect(parts));
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

    test("lists that are asked for in the same tick wait for it: empty would mean that there is nothing", async () => {
      const tool = { name: "only", inputSchema: { type: "object" } };
      const script = createScript(({ message }) =>
        message?.method === "tools/list" ? reply(message, { tools: [tool] }) : pass(),
      );
      const opening = open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      const early = client.listTools();
      closing(await opening);
      expect((await early).tools).toMatchObject([{ name: "only" }]);
      expect((await client.listTools()).tools).toMatchObject([{ name: "only" }]);
      expect(script.of("tools/list")[0]?.headers.get("mcp-session-id")).toBe("session-1");
      expect(Object.hasOwn(client, "listTools")).toBe(false);
    });

    test("and reject with the connection, where that fails", async () => {
      const script = createScript(() => new Response(null, { status: 500 }));
      const opening = open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      const early = expect(client.listTools()).rejects.toMatchObject({ reason: "http", status: 500 });
      await expect(opening).rejects.toMatchObject({ reason: "http", status: 500 });
      await early;
      expect(script.of("tools/list")).toEqual([]);
      expect(Object.hasOwn(client, "listTools")).toBe(false);
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
});
