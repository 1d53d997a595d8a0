import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { testServer } from "holdfast/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, startPostgres } from "../dev/postgres.ts";
import { startProcess } from "../dev/process.ts";
import { createServer } from "../src/server.ts";

let postgres: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => void (postgres = await startPostgres()), 60_000);
afterAll(() => postgres.close());

const newClient = () => new Client({ name: "test", version: "1.0.0" });
const count = async (client: Client) =>
  (await client.callTool({ name: "count", arguments: { by: 2 } })).content;

// What a session does is the same in one process as in many: here without any.
test("the counter counts on through a restart", async () => {
  const server = testServer({ createServer });
  const client = await server.connect(newClient());
  expect(await count(client)).toEqual([{ type: "text", text: "2" }]);
  await server.restart();
  expect(await count(client)).toEqual([{ type: "text", text: "4" }]);
  await server.close();
});

test("a session goes on in another process when its own is killed", async () => {
  const one = await startProcess(await freePort(), postgres.url);
  const other = await startProcess(await freePort(), postgres.url);
  // A load balancer that knows no session.
  let to = one.url;
  const client = newClient();
  await client.connect(
    new StreamableHTTPClientTransport(new URL("http://balancer/mcp"), {
      fetch: (_url, init) => fetch(to, init),
    }),
  );
  expect(await count(client)).toEqual([{ type: "text", text: "2" }]);

  to = other.url;
  expect(await count(client)).toEqual([{ type: "text", text: "4" }]);
  await one.end("SIGKILL");
  expect(await count(client)).toEqual([{ type: "text", text: "6" }]);
  await client.close();
  await other.end("SIGTERM");
}, 60_000);
