/**
 * Conformance fixtures that only answer: content of every type, errors, logs, progress, and schemas that must survive
 * the listing untouched. Names and texts are the conformance suite's.
 * @module
 */
import { fromJsonSchema } from "@modelcontextprotocol/server";
import type { ContentBlock, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

import { pause, text } from "./reply.ts";

/** One red pixel. */
export const RED_PIXEL_PNG: string =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/** Four samples of silence. */
const SILENCE_WAV = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA";
const STEP_MS = 50;

// A JSON Schema, not a zod one: what is tested is that `$anchor`, `if` and the like come through as written.
const SCHEMA_2020_12 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // oxlint-disable-next-line unicorn/no-thenable -- the keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

type Compiled = ReturnType<typeof fromJsonSchema<Record<string, unknown>>>;
let compiled: Compiled | undefined;

/** Compiled for the first call, since SDK v2 would do so as the module is loaded: as much work as all the rest of a start. */
const Schema202012: Compiled = {
  "~standard": {
    version: 1,
    vendor: "example",
    jsonSchema: { input: () => SCHEMA_2020_12, output: () => SCHEMA_2020_12 },
    validate: (value) => (compiled ??= fromJsonSchema(SCHEMA_2020_12))["~standard"].validate(value),
  },
};

const Mirrored = z.object({
  region: z.string().describe("Also sent as the header Mcp-Param-Region").meta({ "x-mcp-header": "Region" }),
});

const image: ContentBlock = { type: "image", data: RED_PIXEL_PNG, mimeType: "image/png" };

/** Registers the fixtures. */
export function registerContentFixtures(server: McpServer): void {
  server.registerTool("test_simple_text", { description: "Returns a text" }, () =>
    text("This is a simple text response for testing."),
  );

  server.registerTool("test_image_content", { description: "Returns an image" }, () => ({
    content: [image],
  }));

  server.registerTool("test_audio_content", { description: "Returns a sound" }, () => ({
    content: [{ type: "audio", data: SILENCE_WAV, mimeType: "audio/wav" }],
  }));

  server.registerTool("test_embedded_resource", { description: "Returns an embedded resource" }, () => ({
    content: [
      {
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content.",
        },
      },
    ],
  }));

  server.registerTool(
    "test_multiple_content_types",
    { description: "Returns three types of content" },
    () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        image,
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    }),
  );

  server.registerTool("test_error_handling", { description: "Always fails" }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });

  server.registerTool(
    "test_tool_with_logging",
    { description: "Logs three lines while it runs" },
    async (ctx) => {
      await ctx.mcpReq.log("info", "Tool execution started");
      await pause(STEP_MS, ctx.mcpReq.signal);
      await ctx.mcpReq.log("info", "Tool processing data");
      await pause(STEP_MS, ctx.mcpReq.signal);
      await ctx.mcpReq.log("info", "Tool execution completed");
      return text("Tool with logging executed successfully");
    },
  );

  server.registerTool(
    "test_tool_with_progress",
    { description: "Reports progress three times" },
    async (ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progress > 0) await pause(STEP_MS, ctx.mcpReq.signal);
        if (progressToken === undefined) continue;
        await ctx.mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      }
      return text("Tool with progress executed successfully");
    },
  );

  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Tool with JSON Schema 2020-12 features", inputSchema: Schema202012 },
    (args) => text(JSON.stringify(args)),
  );

  server.registerTool(
    "test_x_mcp_header",
    { description: "Has a parameter that clients mirror into a header", inputSchema: Mirrored },
    ({ region }) => text(`Region: ${region}`),
  );
}
