import { Client } from "@modelcontextprotocol/client";
import { testServer } from "holdfast/testing";
import { expect, test } from "vitest";
import { createServer } from "../src/server.ts";

test("the counter counts on through a restart", async () => {
  const server = testServer({ createServer });
  const client = await server.connect(new Client({ name: "test", version: "1.0.0" }));
  const count = () => client.callTool({ name: "count", arguments: { by: 2 } });

  expect((await count()).content).toEqual([{ type: "text", text: "2" }]);
  await server.restart();
  expect((await count()).content).toEqual([{ type: "text", text: "4" }]);
  await server.close();
});
