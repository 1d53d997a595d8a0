/** What a factory is given is the user's: it may be taken apart, and spread into another object, as any plain one. */
import { Client } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { expect, onTestFinished, test } from "vitest";
import type { CreateServer, ServerContext } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

test("in a session", async () => {
  let given: ServerContext | undefined;
  const createServer: CreateServer = (context) => {
    given = context;
    const server = new McpServer({ name: "apart", version: "1.0.0" });
    server.registerTool("none", {}, () => ({ content: [] }));
    return server;
  };
  const server = testServer({ createServer, authorize: () => ({ principal: "alice" }) });
  onTestFinished(() => server.close());
  await server.connect(new Client({ name: "test", version: "1" }));
  if (given?.era !== "session") throw new Error("no session");
  const { session, notify, user, waitUntil } = given;
  for (const state of [session.state, { ...session.state }]) {
    const { get, set, delete: remove, keys } = state;
    set("a", 1);
    expect([get("a"), keys(), remove("a"), keys()]).toEqual([1, ["a"], true, []]);
  }
  const { toolsListChanged, promptsListChanged, resourcesListChanged, resourceUpdated, publish } = {
    ...notify,
  };
  for (const tell of [toolsListChanged, promptsListChanged, resourcesListChanged]) tell?.();
  resourceUpdated?.("test://a");
  publish?.({ kind: "tools_list_changed" });
  expect(publish).toBeDefined();
  const { get, set, update } = { ...user?.state };
  await set?.("a", 1);
  await update?.("a", (value) => Number(value) + 1);
  expect(await get?.("a")).toBe(2);
  waitUntil(Promise.resolve());
});
