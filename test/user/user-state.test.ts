/** What a tool keeps for its user, in every era and over restarts. */
import { describe, expect, test } from "vitest";
import { createLocalMcp, userState } from "../../src/local/node.ts";
import { MOST_ENTRY_BYTES } from "../../src/session/store/entries.ts";
import { createUserState } from "../../src/user/state.ts";
import { freshFile } from "../local/served.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";
import { type Message, request, textOf, toolCall } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";

type Way = (args: Record<string, unknown>) => Promise<string | undefined>;

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, {
    TEST_AUTH: "on",
    TEST_SESSION_KEY: "conversation",
    HOLDFAST_MAX_USER_STATE_BYTES: "2000",
  });

  /** The ways in which one principal's calls come in. */
  async function waysOf(principal: string): Promise<{ [way: string]: Way }> {
    const auth = { Authorization: `Bearer ${principal}:1` };
    const send = async (message: Message, headers: Record<string, string> = {}) =>
      textOf(await answerOf(await post(`${server.url}/mcp`, message, { ...auth, ...headers })));
    const session = await openSession(server.url, { headers: auth });
    return {
      session: (args) => session.tool("tally", args),
      sessionless: (args) => send(toolCall("tally", args)),
      keyed(args) {
        const call = toolCall("tally", args);
        return send({ ...call, params: { ...call.params, _meta: { "openai/session": "talk" } } });
      },
      modern(args) {
        const call = modernRequest("tools/call", { name: "tally", arguments: args });
        return send(call, headersFor(call));
      },
    };
  }

  test("is one, whichever way a call comes in", async () => {
    const ways = await waysOf("ann");
    let tally = 0;
    for (const way of Object.values(ways)) {
      expect(await way({})).toBe(String(++tally));
      expect(await way({})).toBe(String(++tally));
    }
  });

  test("lasts through a SIGKILL", async () => {
    expect(await (await waysOf("bob")).session?.({ by: 5 })).toBe("5");
    await server.kill();
    await server.restart();
    expect(await (await waysOf("bob")).modern?.({ by: 1 })).toBe("6");
  });

  test("loses none of a hundred updates that meet", async () => {
    const ways = Object.values(await waysOf("cleo"));
    await Promise.all(Array.from({ length: 100 }, (_, n) => ways[n % ways.length]?.({ name: "met" })));
    expect(await ways[0]?.({ name: "met", op: "get" })).toBe("100");
  });

  test("belongs to its principal alone", async () => {
    await (await waysOf("dave")).session?.({ name: "secret", by: 7 });
    const eve = await waysOf("eve");
    for (const way of Object.values(eve)) {
      expect(await way({ name: "secret", op: "get" })).toBe("undefined");
      expect(await way({ op: "keys" })).toBe("");
    }
  });

  test("names its keys, and forgets what is deleted", async () => {
    const { session } = await waysOf("fay");
    await session?.({ name: "b" });
    await session?.({ name: "a" });
    expect(await session?.({ op: "keys" })).toBe("a,b");
    expect(await session?.({ name: "a", op: "delete" })).toBe("true");
    expect(await session?.({ name: "a", op: "delete" })).toBe("false");
    expect(await session?.({ op: "keys" })).toBe("b");
    expect(await session?.({ name: "a" })).toBe("1");
  });

  test("is bounded, and says so to the tool", async () => {
    const { session } = await waysOf("gus");
    expect(await session?.({ name: "x".repeat(1500) })).toBe("1");
    expect(await session?.({ name: "y".repeat(600) })).toMatch(/^The tool "tally" failed\./);
    await eventually(() =>
      expect(server.events()).toContainEqual(
        expect.objectContaining({
          type: "tool.threw",
          message: expect.stringMatching(/exceed maxUserStateBytes \(2000\)/),
        }),
      ),
    );
    expect(await session?.({ name: "x".repeat(1500) })).toBe("2");
  });

  test("is no session that an id could name", async () => {
    const auth = { Authorization: "Bearer ann:1" };
    const id = "0123456789abcdef".repeat(4);
    expect((await post(`${server.url}/mcp`, request("ping"), { ...auth, "Mcp-Session-Id": id })).status).toBe(
      404,
    );
  });
});

describe.each(hosts)("on $name, where nobody knows who calls", (host) => {
  const server = mortal(host);

  test("there is no user", async () => {
    const session = await openSession(server.url);
    expect(await session.tool("tally")).toBe("nobody");
  });
});

test("a user who is erased leaves no row, and another stays", async () => {
  const mcp = createLocalMcp({
    database: freshFile(),
    authorize: (asked) => ({ principal: asked.headers.get("x-user") ?? "nobody" }),
    createServer: (context) => ({
      async connect(transport) {
        const state = userState<{ n: number }>(context);
        const onmessage = (message: unknown): void => {
          const { id, method } = message as { id: number; method: string };
          const answer = async (): Promise<void> => {
            const n =
              method === "n" ? await state?.get("n") : await state?.update("n", (value = 0) => value + 1);
            await transport.send({ jsonrpc: "2.0", id, result: { n } } as never);
          };
          if (id !== undefined && method !== "initialize") void answer();
          else if (id !== undefined) void transport.send({ jsonrpc: "2.0", id, result: {} } as never);
        };
        Object.assign(transport, { onmessage });
        await transport.start();
      },
    }),
    onEvent: () => {},
  });
  const ask = async (user: string, method: string): Promise<unknown> => {
    const headers = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
    const answer = await mcp.router.request("/mcp", {
      method: "POST",
      headers: { ...headers, "x-user": user },
      body: JSON.stringify(request(method)),
    });
    return ((await answer.json()) as Message).result?.["n"];
  };
  for (const user of ["ann", "bob"]) expect(await ask(user, "count")).toBe(1);
  expect(await mcp.users.erase("ann")).toBe(true);
  expect(await mcp.users.erase("ann")).toBe(false);
  expect(await ask("ann", "n")).toBeUndefined();
  expect(await ask("bob", "n")).toBe(1);
  expect(await ask("ann", "count")).toBe(1);
  await mcp.close();
});

describe("what storage cannot keep is refused with a sentence that says so", () => {
  /** A user's state in front of a store that takes anything. */
  const state = createUserState(() => Promise.resolve({ kind: "stored", version: 1 }), 67_108_864);

  test("a value that no row of a Durable Object holds, whatever the bound", async () => {
    const most = MOST_ENTRY_BYTES - "big".length - '""'.length;
    await state.set("big", "x".repeat(most));
    await expect(state.set("big", "x".repeat(most + 1))).rejects.toThrow(/1900000, its name included/);
    await expect(state.set("big", "é".repeat(most / 2 + 1))).rejects.toThrow(RangeError);
  });

  test.each(["a\ud800", 5, undefined] as string[])("the name %j", async (name) => {
    const said = /a string without half surrogates/;
    await expect(state.get(name)).rejects.toThrow(said);
    await expect(state.set(name, 1)).rejects.toThrow(said);
    await expect(state.update(name, () => 1)).rejects.toThrow(said);
    await expect(state.delete(name)).rejects.toThrow(said);
  });
});
