/**
 * Conformance fixtures of the 2026-07-28 rules: capabilities a client did not declare, silent logs, announced changes.
 * @module
 */
import { acceptedContent, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

import type { Announce } from "./announce.ts";
import { text } from "./reply.ts";

const Confirmation = z.object({ ok: z.boolean() });

/** Registers the fixtures. */
export function registerStatelessFixtures(server: McpServer, announce: Announce): void {
  // The question must be returned, not thrown for: `McpServer` turns what a tool throws into a tool result, and only
  // the check of a returned question answers with the protocol's own error.
  server.registerTool("test_missing_capability", { description: "Cannot work without sampling" }, (ctx) => {
    if (inputResponse(ctx.mcpReq.inputResponses, "word").kind === "sampling") return text("sampled");
    const word = inputRequired.createMessage({
      messages: [{ role: "user", content: { type: "text", text: "Say a word" } }],
      maxTokens: 10,
    });
    return inputRequired({ inputRequests: { word } });
  });

  server.registerTool("test_streaming_elicitation", { description: "Asks for a confirmation" }, (ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "confirm", Confirmation);
    if (given) return text(`confirmed: ${given.ok}`);
    const confirm = inputRequired.elicit({ message: "Please confirm", requestedSchema: Confirmation });
    return inputRequired({ inputRequests: { confirm } });
  });

  server.registerTool(
    "test_logging_tool",
    { description: "Logs a line if the client wants logs" },
    async (ctx) => {
      await ctx.mcpReq.log("info", "Logging tool executed");
      return text("logged");
    },
  );

  server.registerTool("test_trigger_tool_change", { description: "Announces that the tools changed" }, () =>
    announce({ kind: "tools_list_changed" }),
  );

  server.registerTool(
    "test_trigger_prompt_change",
    { description: "Announces that the prompts changed" },
    () => announce({ kind: "prompts_list_changed" }),
  );
}
