/** What a tool throws is for the operator, of each SDK's servers; what it says by itself is for its client. */
import { McpServer as V1McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as V2McpServer } from "@modelcontextprotocol/server";
import { McpServer as OldMcpServer } from "sdk-1.20/server/mcp.js";
import { describe, expect, test } from "vitest";
import * as zod3 from "zod/v3";
import * as zod4 from "zod/v4";
import type { HoldfastEvent, HoldfastOptions } from "../../src/index.ts";
import { createLocalMcp } from "../../src/local/index.ts";
import type { ConnectableServer } from "../../src/session/server/factory.ts";
import { unheard } from "../../src/session/server/throws.ts";
import { poster } from "../support/in-process.ts";
import { initialize, type Message, toolCall } from "../support/messages.ts";
import { createWaywardServer } from "../support/wayward-server.ts";
import { SDKS } from "../support/wayward.ts";
import { eventually } from "../support/wait.ts";

/** All that is common to the three. */
interface Registering extends ConnectableServer {
  registerTool(name: string, config: object, callback: () => Promise<never>): { update?(to: object): void };
}
/** What asks the client, as each server has it. */
interface Asking {
  elicitInput(asked: object): Promise<never>;
}
const hooksOf = (server: object): Asking => (server as { server: Asking }).server;

/** A schema as each SDK takes one. */
const TYPED: Record<(typeof SDKS)[number], unknown> = {
  "1.20": { n: zod3.number() },
  "1.32": { n: zod3.number() },
  "2": zod4.object({ n: zod4.number() }),
};
const info = { name: "throws", version: "1" };
const MAKERS: Record<(typeof SDKS)[number], () => Registering> = {
  "1.20": () => new OldMcpServer(info) as unknown as Registering,
  "1.32": () => new V1McpServer(info) as unknown as Registering,
  "2": () => new V2McpServer(info) as unknown as Registering,
};

class Unforeseen extends Error {}
const failing = async (): Promise<never> => {
  throw new Unforeseen("the table is away");
};

interface Rig {
  readonly threw: Extract<HoldfastEvent, { type: "tool.threw" }>[];
  call(message: Message): Promise<Message>;
}

async function rig(createServer: () => ConnectableServer, options: HoldfastOptions = {}): Promise<Rig> {
  const threw: Rig["threw"] = [];
  const mcp = createLocalMcp({
    ...options,
    createServer,
    onEvent: (event) => void (event.type === "tool.threw" && threw.push(event)),
  });
  const send = poster(mcp);
  const id = (await send(initialize())).headers.get("mcp-session-id") ?? "";
  return { threw, call: async (message) => (await send(message, id)).json() as Promise<Message> };
}

describe.each(SDKS)("SDK %s", (sdk) => {
  test("a tool that throws leaves message and stack, each time; one that is not there is no such tool", async () => {
    const { threw, call } = await rig(
      () => {
        const server = MAKERS[sdk]();
        server.registerTool("fails", { description: "Fails" }, failing);
        return server;
      },
      { toolErrors: "message" },
    );
    for (const times of [1, 2]) {
      const { result } = await call(toolCall("fails"));
      expect(result).toEqual({ content: [{ type: "text", text: "the table is away" }], isError: true });
      await eventually(() => expect(threw.length).toBe(times));
    }
    expect(threw[0]).toMatchObject({
      tool: "fails",
      message: "the table is away",
      session: expect.any(String),
    });
    expect(threw[0]?.stack).toContain("failing");
    for (const name of ["none", "constructor", "__proto__", "toString"]) await call(toolCall(name));
    expect(threw.length).toBe(2);
  });

  test("its client is told a reference to that alone; what a tool says by itself stays", async () => {
    const said = { content: [{ type: "text", text: "no such city" }], isError: true };
    const { threw, call } = await rig(() => {
      const server = MAKERS[sdk]();
      server.registerTool("fails", { description: "Fails" }, failing);
      server.registerTool("at_once", { description: "Fails" }, () => {
        throw new Unforeseen("the table is away");
      });
      server.registerTool("words", { description: "Throws no error" }, () =>
        Promise.reject("the table is away" as unknown as Error),
      );
      server.registerTool("says", { description: "Says" }, async () => said as never);
      server.registerTool("refuses", { description: "Refuses" }, () =>
        Promise.reject(Object.assign(new Error("no such thing"), { code: -32002 })),
      );
      server.registerTool("typed", { description: "Takes a number", inputSchema: TYPED[sdk] }, failing);
      server.registerTool("asks", { description: "Asks its user" }, () =>
        hooksOf(server).elicitInput({
          message: "Who?",
          requestedSchema: { type: "object", properties: {} },
        }),
      );
      return server;
    });
    for (const [index, tool] of ["fails", "at_once", "words"].entries()) {
      const answer = await call(toolCall(tool));
      expect(answer.result).toMatchObject({ isError: true });
      await eventually(() => expect(threw.length).toBe(index + 1));
      const { message, reference } = threw[index] ?? {};
      expect([message, reference]).toEqual(["the table is away", expect.stringMatching(/^[0-9a-f]{8}$/)]);
      const text = `The tool "${tool}" failed. Whoever runs the server finds why in its log, under ${reference}.`;
      expect(answer.result?.["content"]).toEqual([{ type: "text", text }]);
      expect(JSON.stringify(answer)).not.toMatch(/table|failing|throws\.test/);
    }
    expect((await call(toolCall("says"))).result).toEqual(said);
    expect(JSON.stringify(await call(toolCall("refuses")))).toContain("no such thing");
    expect(threw.at(-1)?.reference).toBeUndefined();
    // A model mends its arguments by what is wrong with them, and a client learns what it lacks.
    const heard = threw.length;
    expect(JSON.stringify(await call(toolCall("typed", { n: "one" })))).toMatch(
      /expected number|Expected number/,
    );
    expect(threw.length).toBe(heard);
    // The oldest asks whoever is there.
    if (sdk === "1.20") return;
    expect(JSON.stringify(await call(toolCall("asks")))).toMatch(
      /Client does not support (form )?elicitation/,
    );
  });

  test("so does one that was given another handler", async () => {
    let replace: (() => void) | undefined;
    const { threw, call } = await rig(() => {
      const server = MAKERS[sdk]();
      const tool = server.registerTool("fails", { description: "Fails" }, failing);
      replace = () =>
        tool.update?.({
          callback: () => {
            throw new Error("another");
          },
        });
      return server;
    });
    await call(toolCall("fails"));
    replace?.();
    await call(toolCall("fails"));
    await eventually(() =>
      expect(threw.map(({ message }) => message)).toEqual(["the table is away", "another"]),
    );
  });

  test("so does a handler of a low-level server", async () => {
    const { threw, call } = await rig(() => createWaywardServer(sdk), { toolErrors: "message" });
    const { error } = await call(toolCall("wayward", { act: "throw", tag: "t" }));
    expect(error?.message).toContain("thrown t");
    await eventually(() =>
      expect(threw.map(({ tool, message }) => [tool, message])).toEqual([["wayward", "thrown t"]]),
    );
    await call(toolCall("wayward", { act: "answer", tag: "t" }));
    expect(threw.length).toBe(1);
  });

  test("what that throws is hidden too", async () => {
    const { threw, call } = await rig(() => createWaywardServer(sdk));
    const answer = await call(toolCall("wayward", { act: "throw", tag: "t" }));
    await eventually(() => expect(threw.length).toBe(1));
    expect(answer.error?.message).toContain(`under ${threw[0]?.reference}.`);
    expect(JSON.stringify(answer)).not.toContain("thrown");
  });
});

test("of a server that keeps its tools elsewhere, or has frozen them, nothing is heard and nothing is harmed", () => {
  const frozen = { _registeredTools: { fails: Object.freeze({ handler: failing }) } };
  const odd = [
    undefined,
    null,
    1,
    {},
    { _registeredTools: null },
    { _registeredTools: { fails: null } },
    frozen,
  ];
  for (const server of odd) {
    expect(() => unheard(server, "fails")?.hear((): never => expect.unreachable())).not.toThrow();
  }
  expect(frozen._registeredTools.fails.handler).toBe(failing);
});
