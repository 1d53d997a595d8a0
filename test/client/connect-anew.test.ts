/** A connection that is lost is made anew, on request or by itself, by the rules of connecting: G-19, G-21. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ConnectError } from "../../src/client/index.ts";
import { eventually } from "../support/wait.ts";
import { cleanups, cleanUp, closing } from "./support/cleanup.ts";
import { type Connecting, prepareConnect, retry } from "./support/connecting.ts";
import { logEvents } from "./support/events.ts";
import type { HttpServer } from "./support/http-server.ts";
import { logRequests } from "./support/requests.ts";
import { type PlainClient, SDK_PARTS, textOf } from "./support/sdk-parts.ts";
import { sdkSessionServer } from "./support/sdk-session-server.ts";
import { startSseServer } from "./support/sse-server.ts";
import type { RunningTarget } from "./support/target.ts";

afterEach(cleanUp);

describe.each(SDK_PARTS)("with $name", (parts) => {
  let client: PlainClient;
  let heard: string[];
  let open: Connecting["open"];
  beforeEach(() => {
    ({ client, heard, open } = prepareConnect(parts));
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
