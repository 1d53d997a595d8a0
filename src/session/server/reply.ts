/**
 * What a server answers into: the exchange of a POST, as the server's side sees it. How an exchange keeps its word
 * is the business of the floor above (`calls/exchange.ts`).
 * @module
 */
import type { Accepted, JsonAnswer } from "../../host.ts";
import type { JsonRpcResponse, RequestId } from "../../jsonrpc/messages.ts";

/** How an exchange answers its POST. */
export type Reply = Accepted | JsonAnswer | { readonly kind: "streaming" };

/** One POST with requests in it, from the moment they are handed on to the last answer. */
export interface Exchange {
  /** The answer to the POST, the same each time: at once where it is there. */
  reply(): Reply | Promise<Reply>;
  /** Whether messages that belong to it can reach the client on its own stream. */
  readonly streams: boolean;
  /** Whether an answer is stored before it leaves; one that goes out at once as JSON is not. */
  stores(): boolean;
  /** An answer from the server, under the client's id. */
  answer(id: RequestId, json: string): Promise<void>;
  /** Another message that belongs to one of its requests. */
  send(json: string): Promise<void>;
  /** A message that is for whoever listens now, and kept nowhere. */
  aside(json: string): void;
  /** The client cancelled one of its requests: no answer will come (cancellation, "SHOULD NOT respond"). */
  cancel(id: RequestId): void;
  /** Ends the stream's connection; the client polls for the rest. */
  close(): void;
  /** The server will not answer any more: what is still owed is answered with an error. */
  fail(answer: (id: RequestId, retryable: boolean) => JsonRpcResponse): void;
  /** The server is going, the session stays: what may run again waits for its client, the rest ends with an error. */
  suspend(): void;
}
