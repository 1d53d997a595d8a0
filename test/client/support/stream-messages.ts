/** What tests send down a stream, and what a client gets in place of an answer that is lost. @module */
import { notification } from "../../support/messages.ts";

export const PRIMING = "id: prime\ndata: \n\n";

export const log = (data: unknown): object => notification("notifications/message", { level: "info", data });

export const result = (given: { message?: { id?: unknown } | undefined }): object => ({
  jsonrpc: "2.0",
  id: given.message?.id,
  result: { content: [{ type: "text", text: "done" }] },
});

export const interrupted = (id: unknown, reason: string, retryable = false): object => ({
  jsonrpc: "2.0",
  id,
  error: {
    code: -32603,
    message: `Connection lost before the answer (${reason})`,
    data: { reason: "interrupted", retryable },
  },
});
