/**
 * What passes the door is answered: servers of the official SDKs are handed what it lets through, and none of it
 * may fall under the table for not fitting their schemas. `SEQUENCE_SEED=<seed>` draws the same again.
 */
import * as fc from "fast-check";
import { McpServer as V1Server } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as V2Server } from "@modelcontextprotocol/server";
import { McpServer as OldServer } from "sdk-1.20/server/mcp.js";
import { describe, expect, inject, test } from "vitest";
import { isRequest, isResponse, type JsonRpcMessage, type RequestId } from "../../src/jsonrpc/messages.ts";
import { parsePayload } from "../../src/jsonrpc/parse.ts";
import type { ConnectableServer } from "../../src/session/server/factory.ts";
import { createTransport } from "../../src/session/server/transport.ts";
import { within } from "../support/wait.ts";
import { message } from "./messages.ts";

const seed = inject("seed");
const info = { name: "door", version: "0" };

interface Connected {
  /** Hands a message to the server; for a request, resolves once it is answered. */
  hand(message: JsonRpcMessage): Promise<void>;
  /** What the server reported of what it could not use. */
  readonly errors: string[];
}

/** Connected as a session would. */
async function connect<Server extends ConnectableServer>(
  server: Server & { server: object },
): Promise<Connected> {
  const errors: string[] = [];
  const waiting = new Map<RequestId, () => void>();
  Object.assign(server.server, { onerror: ({ message: said }: Error) => errors.push(said) });
  const transport = createTransport("s", {
    async onSend(sent) {
      if (isResponse(sent)) waiting.get(sent.id)?.();
    },
    onClose() {},
    onError() {},
    onScopes() {},
  });
  await server.connect(transport);
  let count = 0;
  return {
    errors,
    hand(message) {
      if (!isRequest(message)) return Promise.resolve(transport.onmessage?.(message));
      // Under an id of the session's own.
      const id = ++count;
      const answered = new Promise<void>((resolve) => waiting.set(id, resolve));
      transport.onmessage?.({ ...message, id } as JsonRpcMessage);
      return within(answered, `an answer to ${JSON.stringify(message)}`);
    },
  };
}

const SDKS: { readonly name: string; readonly create: () => Promise<Connected> }[] = [
  {
    name: "v1, 1.20",
    create() {
      const server = new OldServer(info, { capabilities: { logging: {} } });
      server.registerTool("echo", {}, () => ({ content: [] }));
      server.registerResource("r", "test://static/text", {}, () => ({ contents: [] }));
      server.registerPrompt("p", {}, () => ({ messages: [] }));
      return connect(server);
    },
  },
  {
    name: "v1",
    create() {
      const server = new V1Server(info, { capabilities: { logging: {} } });
      server.registerTool("echo", {}, () => ({ content: [] }));
      server.registerResource("r", "test://static/text", {}, () => ({ contents: [] }));
      server.registerPrompt("p", {}, () => ({ messages: [] }));
      return connect(server);
    },
  },
  {
    name: "v2",
    create() {
      const server = new V2Server(info, { capabilities: { logging: {} } });
      server.registerTool("echo", {}, () => ({ content: [] }));
      server.registerResource("r", "test://static/text", {}, () => ({ contents: [] }));
      server.registerPrompt("p", {}, () => ({ messages: [] }));
      return connect(server);
    },
  },
];

describe.each(SDKS)("SDK $name", ({ create }) => {
  test("takes whatever passes the door, and answers each request", async () => {
    const { hand, errors } = await create();
    let passes = 0;
    let requests = 0;
    await fc.assert(
      fc.asyncProperty(message, async (one) => {
        const parsed = parsePayload(JSON.stringify(one), 65_536);
        if ("failure" in parsed) {
          expect(parsed.failure.error.message).toMatch(
            /^(Invalid Request|Invalid params|Payload Too Large): \S/,
          );
          return;
        }
        const [passed] = parsed.payload.messages as [JsonRpcMessage];
        passes += 1;
        // An error that names no request is for nobody, and never handed on.
        if (isResponse(passed) && typeof passed.id !== "string" && typeof passed.id !== "number") return;
        if (isRequest(passed)) requests += 1;
        errors.length = 0;
        await hand(passed);
        expect(errors.filter((error) => error.startsWith("Unknown message type"))).toEqual([]);
      }),
      { seed, numRuns: 3000, endOnFailure: true },
    );
    // It was no test of refusals.
    expect(passes).toBeGreaterThan(500);
    expect(requests).toBeGreaterThan(300);
  }, 60_000);
});
