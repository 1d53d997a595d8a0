/**
 * One POST with requests in it, from dispatch to the last answer.
 *
 * It waits a moment for all answers: alone and quick, they go back as one JSON body and nothing is
 * stored. Whatever needs more than that (time, a notification before the answer, a request to the
 * client) turns it into a stream, which then outlives the POST's connection.
 * @module
 */
import type { JsonAnswer } from "../host.ts";
import { interrupted } from "../jsonrpc/failures.ts";
import type { JsonRpcResponse, RequestId } from "../jsonrpc/messages.ts";
import { toWire } from "../jsonrpc/wire.ts";
import type { Delay } from "./delays.ts";
import type { Stream } from "./stream.ts";

/** The stream that a POST's answers take. */
export type AnswerStream = Pick<Stream, "id" | "emit" | "aside" | "end" | "finish">;

/** How an exchange answers its POST. */
export type Reply = { readonly kind: "accepted" } | JsonAnswer | { readonly kind: "streaming" };

export interface Exchange {
  /** The answer to the POST; settles once. */
  readonly reply: Promise<Reply>;
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

export interface ExchangeOptions {
  /** Client's ids of its requests. */
  readonly ids: readonly RequestId[];
  readonly batch: boolean;
  /**
   * `call`: answers on a stream of its own. `json`: the client reads JSON only, other messages take the
   * standalone stream. `relay`: HTTP+SSE, everything takes the standalone stream and the POST is only accepted.
   */
  readonly mode: "call" | "json" | "relay";
  /** How long the POST waits for an answer that needs no stream. */
  readonly quick: Delay;
  /** Whether its requests may run again. */
  readonly rerun: boolean;
  /** Whether its client knows how to come back for the answers. */
  readonly resumes: boolean;
  /** The stream of a call that runs again: its POST is long over. */
  readonly stream?: AnswerStream | undefined;
  /** Sends on the standalone stream; `answers` as in `Stream.emit`. */
  readonly sendStandalone: (json: string, answers: string | null) => Promise<void>;
  /** Says something aside on the standalone stream: see `Stream.aside`. */
  readonly asideStandalone: (json: string) => void;
  /** It was not answered at once: from now on somebody must see to it that it ends. */
  readonly onLasting: () => void;
  /** Mode `call`: opens the stream, with this POST's connection attached. */
  readonly openStream: () => AnswerStream;
  /** Mode `relay`: records that answers are owed beyond the POST. */
  readonly owe: () => void;
  /** One request is settled, by its answer or by cancellation; `stream` is where its answers go, `last` whether none is left. */
  readonly onSettled: (settled: {
    id: RequestId;
    cancelled: boolean;
    last: boolean;
    stream: AnswerStream | undefined;
  }) => void;
}

export function createExchange(options: ExchangeOptions): Exchange {
  const { mode, batch, sendStandalone } = options;
  const answers: { id: RequestId; json: string }[] = [];
  const owed = [...options.ids];
  let { stream } = options;
  let settled = false;
  let settle: (reply: Reply) => void = () => {};
  const reply = new Promise<Reply>((resolve) => {
    settle = (value) => {
      settled = true;
      waits?.();
      resolve(value);
    };
  });

  const outlive = (): void => {
    if (settled) return;
    options.onLasting();
    if (mode === "json") return;
    if (mode === "relay") {
      options.owe();
      return settle({ kind: "accepted" });
    }
    stream = options.openStream();
    settle({ kind: "streaming" });
    for (const { id, json } of answers.splice(0)) void stream.emit(json, JSON.stringify(id));
  };
  const late = (): void => {
    try {
      outlive();
    } catch {
      // The stream cannot be stored (a full disk): its POST waits for the answer as long as it takes.
    }
  };
  const waits = stream !== undefined ? undefined : options.quick(late);
  if (stream !== undefined) settle({ kind: "streaming" });

  const reduce = (id: RequestId, cancelled: boolean): void => {
    owed.splice(owed.indexOf(id), 1);
    options.onSettled({ id, cancelled, last: owed.length === 0, stream });
    if (owed.length > 0) return;
    if (mode === "call") stream?.finish();
    if (settled) return;
    if (answers.length === 0) settle({ kind: "accepted" });
    else {
      const bodies = answers.map(({ json }) => json).join();
      settle({ kind: "json", body: batch ? `[${bodies}]` : bodies });
    }
  };

  const exchange: Exchange = {
    reply,
    streams: mode === "call",
    stores: () => mode === "relay" || stream !== undefined,
    answer(id, json) {
      let paced = Promise.resolve();
      if (mode === "relay") paced = sendStandalone(json, JSON.stringify(id));
      else if (stream === undefined) answers.push({ id, json });
      else paced = stream.emit(json, JSON.stringify(id));
      reduce(id, false);
      return paced;
    },
    send(json) {
      if (mode === "call") outlive();
      return stream === undefined ? sendStandalone(json, null) : stream.emit(json, null);
    },
    aside(json) {
      if (mode !== "call") options.asideStandalone(json);
      else stream?.aside(json);
    },
    cancel: (id) => reduce(id, true),
    close() {
      if (mode !== "call") return;
      outlive();
      stream?.end("closed");
    },
    fail(answerOf) {
      for (const id of owed.slice()) void exchange.answer(id, toWire(answerOf(id, options.rerun)));
    },
    suspend() {
      if (mode === "call" && options.rerun && options.resumes) outlive();
      else exchange.fail(interrupted);
    },
  };
  return exchange;
}
