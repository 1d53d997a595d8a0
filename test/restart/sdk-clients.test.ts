/** R-01, B34, P-09, P-10: the process is killed under a client of each official SDK, and started again. */
import { describe, expect, test } from "vitest";
import { hosts, type Mortal, mortal } from "../support/hosts.ts";
import { type SdkClient, SDKS } from "../support/sdk-clients.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually } from "../support/wait.ts";

const WATCHED = "test://watched-resource";

/** Kills the server, sees that it is down, and starts it again. */
async function survive(server: Mortal): Promise<void> {
  await server.kill();
  await expect(unpooledFetch(`${server.url}/health`)).rejects.toMatchObject({
    cause: { code: "ECONNREFUSED" },
  });
  await server.restart();
}

async function whoami(client: SdkClient): Promise<Record<string, unknown>> {
  return JSON.parse((await client.call("whoami")) ?? "") as Record<string, unknown>;
}

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { HOLDFAST_RETRY_MS: "300" });

  describe.each(SDKS)("client $name", (sdk) => {
    test("goes on after a SIGKILL: no failed call, same session, no initialize on the wire", async () => {
      const client = await sdk.connect(server.url);
      const before = await whoami(client);
      const { sessionId } = client;
      await survive(server);

      client.sent.length = 0;
      const after = await whoami(client);
      expect(await client.call("echo", { text: "still here" })).toBe("still here");
      expect(await client.toolNames()).toContain("echo");

      expect(after["bootId"]).not.toBe(before["bootId"]);
      expect(after).toMatchObject({
        clientInfo: { name: "restart-test", version: "1.2.3" },
        protocolVersion: before["protocolVersion"],
        sessionId8: before["sessionId8"],
      });
      expect(client.sessionId).toBe(sessionId);
      const posts = client.sent.filter(({ method }) => method === "POST");
      expect(posts.map(({ message }) => message?.method)).toEqual(["tools/call", "tools/call", "tools/list"]);
      for (const { status, headers } of posts) {
        expect(status).toBe(200);
        expect(headers.get("mcp-session-id")).toBe(sessionId);
      }
      await client.close();
    });

    test("finds its capabilities, log level, subscriptions and state as they were", async () => {
      const client = await sdk.connect(server.url);
      await client.setLevel("error");
      await client.subscribe(WATCHED);
      expect(await client.call("counter", { by: 5 })).toBe("5");
      await survive(server);
      client.sent.length = 0;

      expect(await client.call("counter", { by: 1 })).toBe("6");
      // The server asks only clients that have declared the capability.
      expect(await client.call("ask", { message: "well?" })).toBe(
        JSON.stringify({ action: "accept", answer: "re: well?" }),
      );

      // Below the level: a log message sent before the update would have arrived before it.
      expect(await client.call("emit", { count: 1, on: "standalone" })).toBe("emitting");
      expect(await client.call("touch", { uri: WATCHED })).toBe("announced");
      await eventually(() => expect(client.notifications).toHaveLength(1));
      expect(client.notifications[0]).toMatchObject({
        method: "notifications/resources/updated",
        params: { uri: WATCHED },
      });

      await client.setLevel("debug");
      await client.call("emit", { count: 1, on: "standalone" });
      await eventually(() => expect(client.notifications).toHaveLength(2));
      expect(client.notifications[1]).toMatchObject({ method: "notifications/message" });
      expect(client.sent.map(({ message }) => message?.method)).not.toContain("initialize");
      await client.close();
    });
  });
});
