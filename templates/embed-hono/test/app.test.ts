import { Client } from "@modelcontextprotocol/client";
import { testServer } from "holdfast/testing";
import { expect, test } from "vitest";
import { authorize, createApp } from "../src/app.ts";
import { createServer } from "../src/server.ts";

const newClient = () => new Client({ name: "test", version: "1.0.0" });

test("strangers stay out, and the counter counts on through a restart", async () => {
  process.env["API_KEY"] = "of-a-test";
  const server = testServer({
    createServer,
    authorize,
    app: ({ router }) => createApp(router),
    path: "/api/mcp",
  });
  expect(await (await server.fetch(new URL("/", server.url))).text()).toBe("The app");
  await expect(server.connect(newClient())).rejects.toThrow();

  const client = await server.connect(newClient(), { headers: { Authorization: "Bearer of-a-test" } });
  const count = () => client.callTool({ name: "count", arguments: { by: 2 } });
  expect((await count()).content).toEqual([{ type: "text", text: "2" }]);
  await server.restart();
  expect((await count()).content).toEqual([{ type: "text", text: "4" }]);
  await server.close();
});
