import { Client } from "@modelcontextprotocol/client";
import { testServer } from "holdfast/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Issuer, startIssuer } from "../dev/issuer.ts";
import { createApp } from "../src/app.ts";
import { createAuth } from "../src/auth.ts";
import { createServer } from "../src/server.ts";

const RESOURCE = "http://localhost/mcp";

let issuer: Issuer;
beforeAll(async () => void (issuer = await startIssuer()));
afterAll(() => issuer.close());

/** The whole Worker but for its platform. */
function start() {
  const auth = createAuth({ RESOURCE, ISSUER: issuer.url });
  const server = testServer({
    createServer,
    authorize: auth.authorize,
    app: ({ router }) => createApp(auth, router),
  });
  const connect = (token: string) =>
    server.connect(new Client({ name: "test", version: "1.0.0" }), {
      headers: { Authorization: `Bearer ${token}` },
    });
  return { server, connect };
}

test("the counter counts on through a restart, for whom it counts", async () => {
  const { server, connect } = start();
  const ann = await connect(await issuer.token("ann", RESOURCE));
  const ben = await connect(await issuer.token("ben", RESOURCE));
  const count = async (client: Client) =>
    (await client.callTool({ name: "count", arguments: { by: 2 } })).content;

  expect(await count(ann)).toEqual([{ type: "text", text: "ann: 2" }]);
  expect(await count(ben)).toEqual([{ type: "text", text: "ben: 2" }]);
  await server.restart();
  expect(await count(ann)).toEqual([{ type: "text", text: "ann: 4" }]);
  await server.close();
});

test("strangers are told where to sign in", async () => {
  const { server, connect } = start();
  const answer = await server.fetch(server.url, { method: "POST", body: "{}" });
  expect(answer.status).toBe(401);
  const metadata = /resource_metadata="([^"]+)"/.exec(answer.headers.get("WWW-Authenticate") ?? "")?.[1];
  expect(await (await server.fetch(metadata ?? "")).json()).toMatchObject({
    resource: RESOURCE,
    authorization_servers: [issuer.url],
  });
  await expect(connect(await issuer.token("ann", "https://elsewhere.example/mcp"))).rejects.toThrow();
  await server.close();
});
