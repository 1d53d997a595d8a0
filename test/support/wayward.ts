/**
 * A server that does with a call what the call says: answer, throw, answer twice, never answer, close itself, return
 * what cannot be written, block, speak after its end. Here what all SDKs have in common, and v2's; v1's are apart
 * (`wayward-server.ts`), for a server that is started for one test need not load them.
 * @module
 */
import { Server as V2Server } from "@modelcontextprotocol/server";
import { pause, text } from "../../worker/example/reply.ts";

/** The SDKs, oldest first. */
export const SDKS = ["1.20", "1.32", "2"] as const;
export type Sdk = (typeof SDKS)[number];

/** What JSON cannot hold, by name. */
export const UNWRITABLE = {
  bigint: () => ({ content: [], structuredContent: { wei: 10n ** 18n } }),
  cycle: () => {
    const knot: Record<string, unknown> = { content: [] };
    knot["structuredContent"] = knot;
    return knot;
  },
  throws: () => ({
    content: [],
    toJSON() {
      throw new Error("no JSON today");
    },
  }),
  throwsNothing: () => ({
    content: [],
    get structuredContent(): never {
      throw Object.create(null) as Error;
    },
  }),
  vanishes: () => ({ content: [], toJSON: () => undefined }),
  deep: () => {
    let nest: Record<string, unknown> = {};
    for (let depth = 0; depth < 20_000; depth++) nest = { nest };
    return { content: [], structuredContent: nest };
  },
  nothing: () => undefined,
  text: () => "a text alone",
} as const satisfies Record<string, () => unknown>;
export type Unwritable = keyof typeof UNWRITABLE;

/** A call's arguments: what is to become of it, after how long, and whether it speaks first. */
export interface Wayward {
  act:
    | "answer"
    | "throw"
    | "throw nothing"
    | "answer twice"
    | "never"
    | "close"
    | "unwritable"
    | "block"
    | "notify"
    | "ask"
    | "ask late"
    | "outlive"
    | "speak";
  ms?: number;
  what?: Unwritable;
  tag?: string;
  speaks?: boolean;
}

/** What differs between the SDKs. */
interface Call {
  readonly signal: AbortSignal;
  readonly notify: (message: { method: string; params: object }) => Promise<void>;
  readonly ask: () => Promise<unknown>;
  readonly answer: (result: unknown) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How often each server was told to stop; told to the test by its events where it runs elsewhere. */
const say = (type: string, fields: object): void => console.log(JSON.stringify({ type, ...fields }));

export async function act(
  { act: what, ms = 0, what: unwritable = "bigint", tag = "", speaks = false }: Wayward,
  call: Call,
): Promise<unknown> {
  const progress = (n: number): Promise<void> =>
    call.notify({ method: "notifications/message", params: { level: "info", data: { tag, n } } });
  call.signal.addEventListener("abort", () => say("test.aborted", { tag }));
  if (speaks) await progress(0);
  if (ms > 0) await pause(ms);
  switch (what) {
    case "answer":
      return text(`answered ${tag}`);
    case "throw":
      throw new Error(`thrown ${tag}`);
    case "throw nothing":
      throw undefined;
    case "answer twice":
      await call.answer(text(`answered ${tag}`));
      return text("again");
    case "never":
      say("test.never", { tag });
      return new Promise(() => {});
    case "close":
      await call.close();
      return text("closed");
    case "unwritable":
      return UNWRITABLE[unwritable]();
    case "block": {
      const until = Date.now() + 30;
      while (Date.now() < until);
      return text(`blocked ${tag}`);
    }
    case "notify":
      await progress(1);
      return text(`notified ${tag}`);
    case "ask":
    case "ask late":
      // Late: not before the call is over, however long that takes to be heard of here.
      if (what === "ask late") await pause(600_000, call.signal);
      try {
        return text(JSON.stringify(await call.ask()));
      } catch (error) {
        say("test.unanswered", { tag });
        throw error;
      }
    case "speak":
      for (let n = 1; ; n++) {
        await progress(n);
        await pause(50);
      }
    case "outlive": {
      // Speaks on until it is refused, over or not; SDK 1.32 says nothing for a call that is cancelled, and refuses nothing.
      void (async () => {
        for (let n = 1, after = 0; n < 1000; n++) {
          if (call.signal.aborted && ++after > 10)
            return say("test.refused", { tag, n, message: "silently" });
          try {
            await progress(n);
          } catch (error) {
            return say("test.refused", { tag, n, message: String(error) });
          }
          await pause(20);
        }
      })();
      await pause(200);
      return text(`outlived ${tag}`);
    }
  }
}

export const INFO = { name: "wayward", version: "0" };
export const CAPABILITIES = { capabilities: { tools: { listChanged: true }, logging: {} } };
export const QUESTION = {
  method: "elicitation/create",
  params: { message: "well?", requestedSchema: { type: "object", properties: {} } },
} as const;

export interface UserHooks {
  onclose?: () => unknown;
  onerror?: () => unknown;
}

/** One of SDK v2, for either era. */
export function createWaywardV2(hooks: UserHooks = {}): V2Server {
  const server = new V2Server(INFO, CAPABILITIES);
  const handler = async ({ params }: { params: { arguments?: unknown } }, ctx: V2Context): Promise<unknown> =>
    act(params.arguments as Wayward, {
      signal: ctx.mcpReq.signal,
      notify: (message) => ctx.mcpReq.notify(message),
      ask: () => ctx.mcpReq.send(QUESTION),
      answer: (result) => send(server, ctx.mcpReq.id, result),
      close: () => server.close(),
    });
  server.setRequestHandler("tools/call", handler as never);
  return Object.assign(server, hooks);
}

interface V2Context {
  mcpReq: {
    id: string | number;
    signal: AbortSignal;
    notify(message: object): Promise<void>;
    send(request: object): Promise<unknown>;
  };
}

/** Past the SDK, by its transport. */
export function send(server: { transport?: unknown }, id: string | number, result: unknown): Promise<void> {
  const { transport } = server as { transport?: { send(message: object): Promise<void> } };
  return transport?.send({ jsonrpc: "2.0", id, result }) ?? Promise.resolve();
}
