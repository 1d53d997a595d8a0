/**
 * Conformance fixtures that need a session: requests from server to client, and a stream that closes under its call.
 * The 2026-07-28 era has neither, so they are not offered there.
 * @module
 */
import type { ElicitRequestFormParams, ElicitResult, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

import { pause, text, wordsOf } from "./reply.ts";

type Form = ElicitRequestFormParams["requestedSchema"];

const Prompt = z.object({ prompt: z.string().describe("The prompt to send to the LLM") });
const Message = z.object({ message: z.string().describe("The message to show the user") });

const ContactForm: Form = {
  type: "object",
  properties: {
    username: { type: "string", description: "User's response" },
    email: { type: "string", description: "User's email address" },
  },
  required: ["username", "email"],
};

const DefaultsForm: Form = {
  type: "object",
  properties: {
    name: { type: "string", description: "User name", default: "John Doe" },
    age: { type: "integer", description: "User age", default: 30 },
    score: { type: "number", description: "User score", default: 95.5 },
    status: {
      type: "string",
      description: "User status",
      enum: ["active", "inactive", "pending"],
      default: "active",
    },
    verified: { type: "boolean", description: "Verification status", default: true },
  },
  required: [],
};

const EnumsForm: Form = {
  type: "object",
  properties: {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: {
      type: "string",
      oneOf: [
        { const: "value1", title: "First Option" },
        { const: "value2", title: "Second Option" },
        { const: "value3", title: "Third Option" },
      ],
    },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: {
      type: "array",
      items: {
        anyOf: [
          { const: "value1", title: "First Choice" },
          { const: "value2", title: "Second Choice" },
          { const: "value3", title: "Third Choice" },
        ],
      },
    },
  },
  required: [],
};

/** Registers the fixtures. Requests to the client name their call, so that they need no open GET stream. */
export function registerPushFixtures(server: McpServer): void {
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's LLM", inputSchema: Prompt },
    async ({ prompt }, ctx) => {
      const reply = await ctx.mcpReq.requestSampling(
        { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 },
        { relatedRequestId: ctx.mcpReq.id },
      );
      return text(`LLM response: ${wordsOf(reply)}`);
    },
  );

  server.registerTool(
    "test_elicitation",
    { description: "Asks the user for a name and an address", inputSchema: Message },
    async ({ message }, ctx) => {
      const result = await ctx.mcpReq.elicitInput(
        { mode: "form", message, requestedSchema: ContactForm },
        { relatedRequestId: ctx.mcpReq.id },
      );
      return text(`User response: ${outcome(result)}`);
    },
  );

  server.registerTool(
    "test_elicitation_sep1034_defaults",
    { description: "Asks with a default for each primitive type" },
    async (ctx) => {
      const result = await ctx.mcpReq.elicitInput(
        { mode: "form", message: "Please review and update the form fields", requestedSchema: DefaultsForm },
        { relatedRequestId: ctx.mcpReq.id },
      );
      return text(`Elicitation completed: ${outcome(result)}`);
    },
  );

  server.registerTool(
    "test_elicitation_sep1330_enums",
    { description: "Asks with each of the five kinds of choice" },
    async (ctx) => {
      const result = await ctx.mcpReq.elicitInput(
        { mode: "form", message: "Please select from the options", requestedSchema: EnumsForm },
        { relatedRequestId: ctx.mcpReq.id },
      );
      return text(`Elicitation completed: ${outcome(result)}`);
    },
  );

  server.registerTool(
    "test_reconnection",
    { description: "Closes its own stream mid-call; the result waits for the client to resume" },
    async (ctx) => {
      ctx.http?.closeSSE?.();
      // Long enough for the client to see the end of the stream before there is a result to send.
      await pause(100, ctx.mcpReq.signal);
      return text("Reconnection test completed successfully.");
    },
  );
}

function outcome(result: ElicitResult): string {
  return `action=${result.action}, content=${JSON.stringify(result.content ?? {})}`;
}
