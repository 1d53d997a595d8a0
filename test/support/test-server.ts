/**
 * The example server with some tools more, for tests that must know exactly what was sent: `burst` sends
 * numbered messages of given sizes, `flood` many in one turn without waiting, `held` answers when it is told to, `bulk` answers much and late, `settle` answers once no burst of this isolate runs any more,
 * `stray` fails after its call, `publish` tells of numbered changes, `request` shows the HTTP request, `hang` says when it is cancelled, `drop` ends the standalone stream's
 * connection; the method `test/throw` throws.
 * @module
 */
import { type McpServer, requireScopes } from "@modelcontextprotocol/server";
import * as z from "zod";
import { userState } from "../../src/index.ts";
import type { CreateServer, ServerContext } from "../../src/session/server/factory.ts";
import { pause, text } from "../../worker/example/reply.ts";
import { createExampleServer } from "../../worker/example/server.ts";
import { registerSteppedTools } from "./stepped-tools.ts";
import { registerTaskTools } from "./task-tools.ts";
import { SDKS } from "./wayward.ts";

const Burst = z.object({
  tag: z.string(),
  /** Characters of filling in each message. */
  sizes: z.array(z.int().min(0)),
  intervalMs: z.int().min(0).default(0),
  on: z.enum(["request", "standalone"]),
});

const Flood = z.object({
  count: z.int().min(1),
  size: z.int().min(0),
  on: z.enum(["request", "standalone"]),
});
const Later = z.object({
  name: z.string(),
  fails: z.boolean().default(false),
  hangs: z.boolean().default(false),
});
const Held = z.object({ name: z.string() });
const Bulk = z.object({ size: z.int().min(0), ms: z.int().min(0) });

const Publish = z.object({
  uri: z.string(),
  from: z.int().min(1).default(1),
  to: z.int().min(1),
});

const Hang = z.object({ tag: z.string(), streams: z.boolean().default(false) });
const Throw = z.object({ message: z.string() });
const Drop = z.object({ ms: z.int().optional() });

const Tally = z.object({
  name: z.string().default("tally"),
  by: z.number().default(1),
  op: z.enum(["update", "get", "delete", "keys"]).default("update"),
});

/** What a message of a burst carries as `data`. */
export interface BurstData {
  tag: string;
  n: number;
  filling: string;
}

/** `size` characters that differ from message to message and are of one to four bytes each. */
export function filling(tag: string, n: number, size: number): string {
  const unit = `${tag}#${n} é→😀 `;
  // Half a surrogate pair would not arrive as it was sent.
  return unit
    .repeat(Math.ceil(size / unit.length))
    .slice(0, size)
    .toWellFormed();
}

/**
 * The factory of the test server, or with `TEST_SDK` of v1's (`v1`) or the wayward one (`wayward 1.20`, …); with `TEST_START_MS` each server takes that long to be built, and the
 * session's state says under `built` how often that was.
 */
export function testServers(variables: Readonly<Record<string, unknown>>): CreateServer {
  // Other SDKs are loaded by those who ask for them: most of the tests' many starts do not.
  if (variables["TEST_SDK"] === "v1") {
    return async (context) => (await import("./v1-server.ts")).createV1Server(context);
  }
  const wayward = SDKS.find((sdk) => variables["TEST_SDK"] === `wayward ${sdk}`);
  if (wayward !== undefined) {
    return async () => (await import("./wayward-server.ts")).createWaywardServer(wayward);
  }
  const ms = Number(variables["TEST_START_MS"] ?? 0);
  if (ms === 0) return createTestServer;
  return async (context) => {
    const state = context.session?.state;
    state?.set("built", (state.get<number>("built") ?? 0) + 1);
    await pause(ms);
    return createTestServer(context);
  };
}

export function createTestServer(context: ServerContext): McpServer {
  const server = createExampleServer(context);
  const running = new Set<Promise<void>>();

  server.registerTool(
    "burst",
    { description: "Sends numbered messages", inputSchema: Burst },
    async ({ tag, sizes, intervalMs, on }, ctx) => {
      const send = async (): Promise<void> => {
        for (const [index, size] of sizes.entries()) {
          const n = index + 1;
          if (n > 1) await pause(intervalMs);
          const data: BurstData = { tag, n, filling: filling(tag, n, size) };
          const params = { level: "info" as const, logger: "burst", data };
          if (on === "request") await ctx.mcpReq.notify({ method: "notifications/message", params });
          else await server.server.sendLoggingMessage(params);
        }
      };
      const sending = send().finally(() => running.delete(sending));
      running.add(sending);
      if (on === "standalone") {
        // Its session may end meanwhile.
        sending.catch(() => {});
        return text("sending");
      }
      await sending;
      return text(`sent ${sizes.length}`);
    },
  );

  server.registerTool(
    "flood",
    {
      description: "Sends numbered messages in one turn of the event loop, waiting for none",
      inputSchema: Flood,
    },
    async ({ count, size, on }, ctx) => {
      const pad = "x".repeat(size);
      for (let n = 1; n <= count; n++) {
        const params = { level: "info" as const, logger: "flood", data: { n, pad } };
        void (on === "request"
          ? ctx.mcpReq.notify({ method: "notifications/message", params })
          : server.server.sendLoggingMessage(params));
      }
      return text(`flooded ${count}`);
    },
  );

  server.registerTool(
    "later",
    {
      description:
        "Has work go on after its answer: once `go <name>` is set for its user, it sets `done <name>`",
      inputSchema: Later,
    },
    async ({ name, fails, hangs }) => {
      const { waitUntil } = context;
      const state = userState<Record<string, number>>(context);
      const work = async (): Promise<void> => {
        if (fails) throw new Error(`failed later: ${name}`);
        while ((await state?.get(`go ${name}`)) === undefined) await pause(50);
        await state?.set(`done ${name}`, 1);
      };
      waitUntil(work());
      await state?.set(`begun ${name}`, 1);
      return hangs ? new Promise<never>(() => {}) : text("answered");
    },
  );

  server.registerTool(
    "held",
    { description: "Answers once `go <name>` is set for its user", inputSchema: Held },
    async ({ name }) => {
      const state = userState<Record<string, number>>(context);
      while ((await state?.get(`go ${name}`)) === undefined) await pause(50);
      return text("released");
    },
  );

  server.registerTool(
    "bulk",
    { description: "Answers so much after so long", inputSchema: Bulk },
    async ({ size, ms }) => {
      await pause(ms);
      return text("b".repeat(size));
    },
  );

  server.registerTool(
    "publish",
    { description: "Tells of numbered changes", inputSchema: Publish },
    ({ uri, from, to }) => {
      for (let n = from; n <= to; n++)
        context.notify?.publish({ kind: "resource_updated", uri, params: { n } });
      return text(context.notify === undefined ? "no hub" : "published");
    },
  );

  server.registerTool(
    "hang",
    { description: "Hangs until it is cancelled", inputSchema: Hang },
    async ({ tag, streams }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken ?? tag;
      const params = { progressToken, progress: 1 };
      if (streams) await ctx.mcpReq.notify({ method: "notifications/progress", params });
      console.log(JSON.stringify({ type: "test.hanging", tag }));
      await pause(600_000, ctx.mcpReq.signal);
      console.log(JSON.stringify({ type: "test.cancelled", tag }));
      return text("cancelled");
    },
  );

  server.registerTool("stray", { description: "Fails where nobody waits for it, after the call" }, () => {
    setTimeout(() => void Promise.reject(new Error("stray")), 50);
    return text("to fail");
  });

  server.registerTool(
    "drop",
    { description: "Ends the standalone stream's connection", inputSchema: Drop },
    async ({ ms }, ctx) => {
      const { closeStandaloneSSE: close } = ctx.http ?? {};
      if (ms !== undefined) await pause(ms);
      close?.();
      return text(close === undefined ? "cannot" : "dropped");
    },
  );

  server.registerTool("request", { description: "The request as the tool sees it" }, (ctx) => {
    const { method, url, headers } = ctx.http?.req ?? {};
    return text(JSON.stringify({ method, url, header: headers?.get("x-tag") }));
  });

  server.registerTool("built", { description: "How often the session's server was built" }, () =>
    text(String(context.session?.state.get("built"))),
  );

  registerGuarded(server);
  registerTaskTools(server, context);
  registerSteppedTools(server, context);

  server.registerTool(
    "auth_info",
    { description: "The caller's authInfo, and what kind of thing its resource is" },
    (ctx) => {
      const { resource, extra, scopes } = ctx.http?.authInfo ?? {};
      const padding = String(extra?.["padding"] ?? "").length;
      return text(JSON.stringify({ isUrl: resource instanceof URL, href: resource?.href, padding, scopes }));
    },
  );

  server.registerTool(
    "tally",
    {
      description: "Adds to a number of the user's, or asks for something else of his state",
      inputSchema: Tally,
    },
    async ({ name, by, op }) => {
      const state = userState<Record<string, number>>(context);
      if (state === undefined) return text("nobody");
      if (op === "keys") return text((await state.keys()).join());
      if (op === "get") return text(String(await state.get(name)));
      if (op === "delete") return text(String(await state.delete(name)));
      return text(String(await state.update(name, (value = 0) => value + by)));
    },
  );

  server.server.setRequestHandler("test/throw", { params: Throw }, ({ message }) => {
    throw new Error(message);
  });

  server.registerTool("settle", { description: "Waits for bursts" }, async () => {
    await Promise.all(running);
    return text("settled");
  });
  return server;
}

/** Tools that need scopes, decided at once, later, and not at all. */
function registerGuarded(server: McpServer): void {
  const needs = requireScopes("notes:read", "notes:write");
  const inputSchema = z.object({ tag: z.string().default(""), ms: z.int().default(0) });
  const challenges = {
    guarded: needs,
    guarded_late: async (context: Parameters<typeof needs>[0]) => {
      await pause(20);
      return needs(context);
    },
    guarded_badly: () => {
      throw new Error("the policy is away");
    },
    guarded_oddly: () => ({ scopes: ["a b"] as [string] }),
  };
  for (const [name, scopeChallenge] of Object.entries(challenges)) {
    server.registerTool(name, { description: name, inputSchema, scopeChallenge }, async ({ tag, ms }) => {
      console.log(JSON.stringify({ type: "test.guarded", tag }));
      await pause(ms);
      return text("done");
    });
  }
}
