/**
 * What the SDK's client passes through to nobody: an answer that is a task, and requests of an extension. They are
 * taken from the transport beneath it, which has the headers, the credentials and the streams.
 * @module
 */
import type { JsonObject, JsonRpcErrorObject } from "../jsonrpc/messages.ts";

/** A transport of the SDK that a client has connected. */
export interface RawTransport {
  onmessage?: ((message: never, extra?: never) => void) | undefined;
  send(
    message: never,
    options?: { readonly requestSignal: AbortSignal; readonly onRequestStreamEnd: () => void },
  ): Promise<void>;
}

/** What a request is answered with. */
export type RawAnswer = { readonly result: JsonObject } | { readonly error: JsonRpcErrorObject };

/** Requests beside those of the SDK's client. */
export interface RawRequests {
  /** Resolves to the first answer to a call of the client's own that is a task. */
  readonly task: Promise<JsonObject>;
  /**
   * Sends a request as it is. Rejects where no answer comes.
   * @param limits the signal breaks it off; so does the time, in milliseconds
   */
  ask(
    request: { readonly method: string; readonly params?: JsonObject },
    limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<RawAnswer>;
}

/** Listens in on a transport from now on. The client still hears all but the answers to requests that are made here. */
export function rawRequests(transport: RawTransport): RawRequests {
  const waiting = new Map<string, (answer: RawAnswer) => void>();
  const task = Promise.withResolvers<JsonObject>();
  const { onmessage } = transport;
  const hear = (message: never, extra?: never): void => {
    const { id, result, error } = message as {
      id?: unknown;
      result?: JsonObject;
      error?: JsonRpcErrorObject;
    };
    const answered = waiting.get(id as string);
    if (answered !== undefined) return answered(error ? { error } : { result: result ?? {} });
    // The client goes on to reject it, as a kind of result that it does not know.
    if (result?.["resultType"] === "task" && typeof result["taskId"] === "string") task.resolve(result);
    onmessage?.(message, extra);
  };
  Object.assign(transport, { onmessage: hear });
  let count = 0;
  return {
    task: task.promise,
    async ask({ method, params }, { signal, timeoutMs }) {
      // No id of the client's: those are numbers.
      const id = `raw-${++count}`;
      const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const answer = Promise.withResolvers<RawAnswer>();
      const abort = (): void => answer.reject(over.reason);
      over.addEventListener("abort", abort);
      if (over.aborted) abort();
      waiting.set(id, answer.resolve);
      transport
        .send({ jsonrpc: "2.0", id, method, params } as never, {
          requestSignal: over,
          onRequestStreamEnd: () => answer.reject(new Error("the stream ended without an answer")),
        })
        .catch(answer.reject);
      try {
        return await answer.promise;
      } finally {
        waiting.delete(id);
        over.removeEventListener("abort", abort);
      }
    },
  };
}
