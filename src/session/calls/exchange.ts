/**
 * One POST with requests in it, from dispatch to the last answer.
 *
 * It waits a moment for all answers: alone and quick, they go back as one JSON body and nothing is
 * stored. Whatever needs more than that (time, a notification before the answer, a request to the
 * client) turns it into a stream, which then outlives the POST's connection.
 * @module
 */
import { interrupted } from "../../jsonrpc/failures.ts";
import type { RequestId } from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Delay } from "./delays.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import type { Stream } from "../streams/stream.ts";

/** The stream that a POST's answers take. */
export type AnswerStream = Pick<Stream, "id" | "emit" | "aside" | "end" | "finish">;

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
