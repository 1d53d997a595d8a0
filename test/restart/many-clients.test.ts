/** P-11: many clients across one restart, each with a session of its own. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { type SdkClient, SDKS } from "../support/sdk-clients.ts";
import { eventually } from "../support/wait.ts";

const COUNT = 20;

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { HOLDFAST_RETRY_MS: "300" });

  test("twenty clients go on after one restart, and none hears of another", async () => {
    const clients: SdkClient[] = [];
    for (let n = 0; n < COUNT; n++) {
      const sdk = SDKS[n % SDKS.length];
      if (sdk !== undefined) clients.push(await sdk.connect(server.url));
    }
    const ids = clients.map(({ sessionId }) => sessionId);
    expect(new Set(ids).size).toBe(COUNT);
    const uri = (n: number): string => `test://client/${n}`;
    await Promise.all(clients.map((client, n) => client.subscribe(uri(n))));
    await Promise.all(clients.map((client, n) => client.call("counter", { by: n })));

    await server.kill();
    await server.restart();
    for (const client of clients) client.sent.length = 0;

    const counted = await Promise.all(clients.map((client) => client.call("counter", { by: 100 })));
    expect(counted).toEqual(clients.map((_, n) => String(100 + n)));
    const touched = await Promise.all(clients.map((client, n) => client.call("touch", { uri: uri(n) })));
    expect(touched).toEqual(clients.map(() => "announced"));
    await eventually(() => {
      for (const { notifications } of clients) expect(notifications.length).toBeGreaterThan(0);
    });

    expect(clients.map(({ sessionId }) => sessionId)).toEqual(ids);
    for (const [n, { notifications, sent }] of clients.entries()) {
      expect(notifications.map(({ params }) => params?.["uri"])).toEqual([uri(n)]);
      for (const { method, status, headers } of sent) {
        if (method === "POST") expect(status).toBe(200);
        expect(headers.get("mcp-session-id")).toBe(ids[n]);
      }
    }
    await Promise.all(clients.map((client) => client.close()));
  });
});
