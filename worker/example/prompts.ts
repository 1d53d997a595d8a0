/**
 * Prompts, one with completion. Texts are the conformance suite's.
 * @module
 */
import { completable } from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

import { RED_PIXEL_PNG } from "./content-fixtures.ts";

const SUGGESTIONS = ["paris", "park", "party", "test", "testing"];

const Arguments = z.object({
  arg1: completable(z.string().describe("First test argument"), (value) =>
    SUGGESTIONS.filter((suggestion) => suggestion.startsWith(value)),
  ),
  arg2: z.string().describe("Second test argument"),
});
const Embedded = z.object({ resourceUri: z.string().describe("URI of the resource to embed") });

/** Registers the prompts. */
export function registerPrompts(server: McpServer): void {
  server.registerPrompt("test_simple_prompt", { description: "A text" }, () => ({
    messages: [{ role: "user", content: { type: "text", text: "This is a simple prompt for testing." } }],
  }));

  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "A text with two arguments in it", argsSchema: Arguments },
    ({ arg1, arg2 }) => ({
      messages: [
        {
          role: "user",
          content: { type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` },
        },
      ],
    }),
  );

  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "A resource and what to do with it", argsSchema: Embedded },
    ({ resourceUri }) => ({
      messages: [
        {
          role: "user",
          content: {
            type: "resource",
            resource: {
              uri: resourceUri,
              mimeType: "text/plain",
              text: "Embedded resource content for testing.",
            },
          },
        },
        { role: "user", content: { type: "text", text: "Please process the embedded resource above." } },
      ],
    }),
  );

  server.registerPrompt("test_prompt_with_image", { description: "An image and what to do with it" }, () => ({
    messages: [
      { role: "user", content: { type: "image", data: RED_PIXEL_PNG, mimeType: "image/png" } },
      { role: "user", content: { type: "text", text: "Please analyze the image above." } },
    ],
  }));
}
