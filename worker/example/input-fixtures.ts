/**
 * Conformance fixtures of the 2026-07-28 way to ask: the call returns what it needs, and the client calls again with it.
 * Toward a session the SDK turns each question into a request to the client, so they are offered in both eras.
 * @module
 */
import { acceptedContent, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type {
  CallToolResult,
  InputRequest,
  InputRequests,
  InputRequiredResult,
  McpServer,
  RequestStateCodec,
  ServerContext as CallContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";

import { text, wordsOf } from "./reply.ts";
import type { RoundState } from "./request-state.ts";

const Name = z.object({ name: z.string() });
const Color = z.object({ color: z.string() });
const Confirmation = z.object({ ok: z.boolean() });
const PromptContext = z.object({ context: z.string() });

function askName(message: string): InputRequest {
  return inputRequired.elicit({ message, requestedSchema: Name });
}

function askModel(prompt: string, maxTokens: number): InputRequest {
  return inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: prompt } }],
    maxTokens,
  });
}

/** The text of a sampling response, or undefined while there is none. */
function modelReply(ctx: CallContext, key: string): string | undefined {
  const response = inputResponse(ctx.mcpReq.inputResponses, key);
  return response.kind === "sampling" ? wordsOf(response.result) : undefined;
}

/** The roots the client listed, or undefined while there are none. */
function listedRoots(ctx: CallContext, key: string): string | undefined {
  const response = inputResponse(ctx.mcpReq.inputResponses, key);
  return response.kind === "roots" ? response.roots.map((root) => root.uri).join(", ") : undefined;
}

/** Registers the fixtures. */
export function registerInputFixtures(server: McpServer, states: RequestStateCodec<RoundState>): void {
  /** Asks for a confirmation under a sealed state; a state that was changed on the way never gets here. */
  const confirm = async (tool: string, ctx: CallContext): Promise<CallToolResult | InputRequiredResult> => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "confirm", Confirmation);
    const state = ctx.mcpReq.requestState<RoundState>();
    if (given && state?.tool === tool) return text(`state-ok, confirmed: ${given.ok}`);
    return inputRequired({
      inputRequests: {
        confirm: inputRequired.elicit({ message: "Please confirm", requestedSchema: Confirmation }),
      },
      requestState: await states.mint({ tool, round: 1 }, ctx),
    });
  };

  server.registerTool(
    "test_input_required_result_elicitation",
    { description: "Needs the user's name" },
    (ctx) => {
      const given = acceptedContent(ctx.mcpReq.inputResponses, "user_name", Name);
      if (given) return text(`Hello, ${given.name}!`);
      return inputRequired({ inputRequests: { user_name: askName("What is your name?") } });
    },
  );

  server.registerTool(
    "test_input_required_result_sampling",
    { description: "Needs a word of the client's LLM" },
    (ctx) => {
      const reply = modelReply(ctx, "capital_question");
      if (reply !== undefined) return text(reply);
      return inputRequired({
        inputRequests: { capital_question: askModel("What is the capital of France?", 100) },
      });
    },
  );

  server.registerTool(
    "test_input_required_result_list_roots",
    { description: "Needs the client's roots" },
    (ctx) => {
      const roots = listedRoots(ctx, "client_roots");
      if (roots !== undefined) return text(`Roots: ${roots}`);
      return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
  );

  server.registerTool(
    "test_input_required_result_request_state",
    { description: "Needs a confirmation, and its own state back" },
    (ctx) => confirm("test_input_required_result_request_state", ctx),
  );

  server.registerTool(
    "test_input_required_result_tampered_state",
    { description: "Needs a confirmation, and refuses a state that was changed" },
    (ctx) => confirm("test_input_required_result_tampered_state", ctx),
  );

  server.registerTool(
    "test_input_required_result_multiple_inputs",
    { description: "Needs three inputs of three kinds at once" },
    async (ctx) => {
      const tool = "test_input_required_result_multiple_inputs";
      const given = acceptedContent(ctx.mcpReq.inputResponses, "user_name", Name);
      const greeting = modelReply(ctx, "greeting");
      const roots = listedRoots(ctx, "client_roots");
      const known = ctx.mcpReq.requestState<RoundState>()?.tool === tool;
      if (known && given && greeting !== undefined && roots !== undefined) {
        return text(`${greeting} ${given.name} works in ${roots}.`);
      }
      return inputRequired({
        inputRequests: {
          user_name: askName("What is your name?"),
          greeting: askModel("Generate a greeting", 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await states.mint({ tool, round: 1 }, ctx),
      });
    },
  );

  server.registerTool(
    "test_input_required_result_multi_round",
    { description: "Needs two inputs, one after the other" },
    async (ctx) => {
      const tool = "test_input_required_result_multi_round";
      const state = ctx.mcpReq.requestState<RoundState>();
      const round = state?.tool === tool ? state.round : 0;
      const color = acceptedContent(ctx.mcpReq.inputResponses, "step2", Color);
      if (round === 2 && color) return text(`${state?.name}'s favorite color is ${color.color}.`);
      const first = acceptedContent(ctx.mcpReq.inputResponses, "step1", Name);
      const name = round === 2 ? state?.name : round === 1 ? first?.name : undefined;
      if (name !== undefined) {
        const message = "Step 2: What is your favorite color?";
        return inputRequired({
          inputRequests: { step2: inputRequired.elicit({ message, requestedSchema: Color }) },
          requestState: await states.mint({ tool, round: 2, name }, ctx),
        });
      }
      return inputRequired({
        inputRequests: { step1: askName("Step 1: What is your name?") },
        requestState: await states.mint({ tool, round: 1 }, ctx),
      });
    },
  );

  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Needs whatever kinds of input the client can give" },
    (ctx) => {
      const answered = Object.keys(ctx.mcpReq.inputResponses ?? {});
      if (answered.length > 0) return text(`Answered: ${answered.join(", ")}`);
      const can = server.server.getClientCapabilities();
      const inputRequests: InputRequests = {
        ...(can?.elicitation && { user_name: askName("What is your name?") }),
        ...(can?.sampling && { greeting: askModel("Generate a greeting", 50) }),
        ...(can?.roots && { client_roots: inputRequired.listRoots() }),
      };
      if (Object.keys(inputRequests).length === 0) return text("The client can give no input.");
      return inputRequired({ inputRequests });
    },
  );

  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Needs a context from the user" },
    (ctx) => {
      const given = acceptedContent(ctx.mcpReq.inputResponses, "user_context", PromptContext);
      if (given) {
        return { messages: [{ role: "user", content: { type: "text", text: `Context: ${given.context}` } }] };
      }
      const message = "What context should the prompt use?";
      return inputRequired({
        inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema: PromptContext }) },
      });
    },
  );
}
