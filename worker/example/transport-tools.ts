/**
 * Tools that make the transport work: long calls, bursts, the standalone stream, state, identity, questions back.
 * @module
 */
import { inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type { ElicitRequestFormParams, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

import type { ServerContext } from "../../src/session/server/factory.ts";
import { failure, pause, text } from "./reply.ts";

const HOUR_MS = 3_600_000;
/** People answer slowly; the SDK's own limit for a request is one minute. */
const ANSWER_TIMEOUT_MS = 600_000;

const Echo = z.object({ text: z.string() });
const Sleep = z.object({
  ms: z.int().min(0).max(HOUR_MS).describe("How long the call takes"),
  steps: z.int().min(0).max(10_000).default(0).describe("Progress notifications, spread evenly"),
});
const Emit = z.object({
  count: z.int().min(0).max(1_000_000),
  intervalMs: z.int().min(0).max(HOUR_MS).default(0).describe("Pause between two messages; 0: none"),
  on: z.enum(["request", "standalone"]).default("request").describe("The stream that carries them"),
});
const Counter = z.object({ by: z.number().default(1) });
const Ask = z.object({
  message: z.string(),
  on: z.enum(["request", "standalone"]).default("request").describe("The stream that carries the question"),
});
const ANSWER_FORM: ElicitRequestFormParams["requestedSchema"] = {
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
};

let bootId: string | undefined;

/** Registers `echo`, `whoami`, `sleep`, `emit`, `counter` and `ask`. */
export function registerTransportTools(server: McpServer, context: ServerContext): void {
  const { session } = context;

  server.registerTool(
    "echo",
    { description: "Returns the text it is given", inputSchema: Echo, annotations: { readOnlyHint: true } },
    (args) => text(args.text),
  );

  server.registerTool(
    "whoami",
    { description: "Tells who calls, and which isolate answers", annotations: { readOnlyHint: true } },
    (ctx) => {
      const authInfo = ctx.http?.authInfo;
      // Workers forbid randomness in the global scope, so the first call draws the isolate's id.
      bootId ??= crypto.randomUUID();
      return text(
        JSON.stringify({
          sessionId8: session?.id.slice(0, 8) ?? null,
          clientInfo: server.server.getClientVersion() ?? null,
          protocolVersion: server.server.getNegotiatedProtocolVersion() ?? null,
          principal: session?.principal ?? authInfo?.clientId ?? null,
          bootId,
          authInfo: authInfo ? { clientId: authInfo.clientId, token8: authInfo.token.slice(0, 8) } : null,
        }),
      );
    },
  );

  server.registerTool(
    "sleep",
    { description: "Takes its time, with progress if the caller asked for it", inputSchema: Sleep },
    async ({ ms, steps }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      const started = Date.now();
      for (let step = 1; step <= Math.max(steps, 1); step++) {
        // Measured from the start, so that slow sends do not add up.
        await pause(started + (ms * step) / Math.max(steps, 1) - Date.now(), ctx.mcpReq.signal);
        if (ctx.mcpReq.signal.aborted) return text("cancelled");
        if (progressToken === undefined || steps === 0) continue;
        await ctx.mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress: step, total: steps },
        });
      }
      return text("slept");
    },
  );

  server.registerTool(
    "emit",
    { description: "Sends numbered log messages on the stream of its choice", inputSchema: Emit },
    async ({ count, intervalMs, on }, ctx) => {
      if (on === "request") {
        // `log` respects a level the client set; in the modern era it is silent unless the request carries one.
        const log = (n: number): Promise<void> => ctx.mcpReq.log("info", { n }, "emit");
        await numbered(log, { count, intervalMs, signal: ctx.mcpReq.signal });
        return text(`emitted ${count}`);
      }
      if (session === undefined)
        return failure('There is no standalone stream in this era; use on: "request".');
      const send = (n: number): Promise<void> =>
        server.sendLoggingMessage({ level: "info", logger: "emit", data: { n } }, ctx.sessionId);
      // A send fails when the session has ended; nobody is left to be told.
      void numbered(send, { count, intervalMs }).catch(() => {});
      return text("emitting");
    },
  );

  server.registerTool(
    "counter",
    { description: "Adds to a number kept in the session's state", inputSchema: Counter },
    ({ by }) => {
      if (session === undefined) return failure("The counter lives in a session, and this era has none.");
      const value = (session.state.get<number>("counter") ?? 0) + by;
      session.state.set("counter", value);
      return text(String(value));
    },
  );

  server.registerTool(
    "ask",
    { description: "Asks the user a question from inside the call", inputSchema: Ask },
    async ({ message, on }, ctx) => {
      if (context.era === "modern") {
        const response = inputResponse(ctx.mcpReq.inputResponses, "answer");
        const settled =
          response.kind === "elicit" &&
          (response.action !== "accept" || typeof response.content?.answer === "string");
        if (settled) return text(answerOf(response));
        const answer = inputRequired.elicit({ message, requestedSchema: ANSWER_FORM });
        return inputRequired({ inputRequests: { answer } });
      }
      const result = await ctx.mcpReq.elicitInput(
        { mode: "form", message, requestedSchema: ANSWER_FORM },
        // The SDK relates a notification of a handler to its call, but an elicitation only when told to.
        { timeout: ANSWER_TIMEOUT_MS, ...(on === "request" && { relatedRequestId: ctx.mcpReq.id }) },
      );
      return text(answerOf(result));
    },
  );
}

/** Sends 1…count, each only after the one before was taken, so that the transport sets the pace. */
async function numbered(
  send: (n: number) => Promise<void>,
  { count, intervalMs, signal }: { count: number; intervalMs: number; signal?: AbortSignal },
): Promise<void> {
  for (let n = 1; n <= count; n++) {
    if (n > 1) await pause(intervalMs, signal);
    if (signal?.aborted) return;
    await send(n);
  }
}

function answerOf(result: { action: string; content?: Record<string, unknown> }): string {
  return JSON.stringify({ action: result.action, answer: result.content?.answer ?? null });
}
