/** `examples/user-state`, as it stands: a list that its user finds again. */
import { beforeAll, describe, expect, test, vi } from "vitest";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { textOf } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { startNode } from "../support/node.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { startWorkerd, type TestServer } from "../support/workerd.ts";

const example = (file: string): string =>
  new URL(`../../examples/user-state/${file}`, import.meta.url).pathname;

const HOSTS = [
  { name: "node", start: (): Promise<TestServer> => startNode({ entry: example("node.ts") }) },
  { name: "workerd", start: (): Promise<TestServer> => startWorkerd({ entry: example("worker.ts") }) },
];

beforeAll(() => void vi.stubGlobal("fetch", unpooledFetch));

describe.each(HOSTS)("on $name", ({ start }) => {
  test("whichever era a call comes in, after a restart, and nobody else", { timeout: 60_000 }, async () => {
    const server = await start();
    const auth = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` });
    const modern = async (key: string, name: string, args = {}): Promise<string | undefined> => {
      const call = modernRequest("tools/call", { name, arguments: args });
      const headers = { ...auth(key), ...headersFor(call) };
      return textOf(await answerOf(await post(`${server.url}/mcp`, call, headers)));
    };
    try {
      const session = await openSession(server.url, { headers: auth("key-of-ann") });
      expect(await session.tool("add", { title: "Emma" })).toBe("1 on your list");
      expect(await modern("key-of-ann", "add", { title: "Persuasion" })).toBe("2 on your list");
      await server.kill();
      await server.restart();
      expect(await session.tool("list", {})).toBe("Emma\nPersuasion");
      expect(await modern("key-of-ann", "list")).toBe("Emma\nPersuasion");
      expect(await modern("key-of-bob", "list")).toBe("nothing yet");
      const call = modernRequest("tools/call", { name: "list", arguments: {} });
      const refused = await post(`${server.url}/mcp`, call, { ...auth("toString"), ...headersFor(call) });
      expect(refused.status).toBe(401);
      await refused.text();
    } finally {
      await server.close();
    }
  });
});
