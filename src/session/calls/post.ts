/**
 * What every exchange is built on: a POST that is answered once, and requests that are each owed an answer.
 *
 * It waits a moment for all answers: alone and quick, they go back as one JSON body and nothing is stored.
 * @module
 */
import { tooLarge } from "../../jsonrpc/failures.ts";
import type { JsonRpcResponse, RequestId } from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import type { Stream } from "../streams/stream.ts";
import type { Delay } from "./delays.ts";

/** The stream that a POST's answers take. */
export type AnswerStream = Pick<Stream, "id" | "emit" | "aside" | "end" | "finish">;

/** One POST with requests in it. */
export interface PostOptions {
  /** Client's ids of its requests. */
  readonly ids: readonly RequestId[];
  readonly batch: boolean;
  /** How long the POST waits for an answer that needs no stream. */
  readonly quick: Delay;
  /** Whether its requests may run again. */
  readonly rerun: boolean;
  /** Most characters of the answers that are held for one JSON body: those of a batch come together. */
  readonly maxHeld: number;
  /** It was not answered at once: from now on somebody must see to it that it ends. */
  readonly onLasting?: (() => void) | undefined;
  /** One request is settled, by its answer or by cancellation; `stream` is where its answers go, `last` whether none is left. */
  readonly onSettled?:
    | ((settled: {
        id: RequestId;
        cancelled: boolean;
        last: boolean;
        stream: AnswerStream | undefined;
      }) => void)
    | undefined;
}

/** A class, for one is made for each call: its methods belong to no single one. */
export class Post {
  readonly reply: Promise<Reply>;
  isSettled = false;
  readonly #options: PostOptions;
  readonly #owed: RequestId[];
  readonly #held: { id: RequestId; json: string }[] = [];
  #heldLength = 0;
  #resolve: ((reply: Reply) => void) | undefined;
  #callOff: (() => void) | undefined;

  constructor(options: PostOptions) {
    this.#options = options;
    this.#owed = [...options.ids];
    this.reply = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Has `outlive` called unless the POST is answered within its delay, which may also ring at once. */
  wait(outlive: () => void): void {
    const callOff = this.#options.quick(() => {
      try {
        outlive();
      } catch {
        // The stream cannot be stored (a full disk): its POST waits for the answer as long as it takes.
      }
    });
    if (this.isSettled) callOff();
    else this.#callOff = callOff;
  }

  /** Answers the POST; what comes after the first answer to it changes nothing. */
  settle(reply: Reply): void {
    this.isSettled = true;
    this.#callOff?.();
    this.#resolve?.(reply);
  }

  /** Whether the JSON body has room for one more answer; for the first, which is bounded by itself, it has. */
  fits(json: string): boolean {
    return this.#heldLength === 0 || this.#heldLength + json.length <= this.#options.maxHeld;
  }

  /** Keeps an answer for the JSON body, or an error in its place where there is no room for it. */
  hold(id: RequestId, json: string): void {
    const kept = this.fits(json) ? json : toWire(tooLarge(id, json.length, this.#options.maxHeld));
    this.#held.push({ id, json: kept });
    this.#heldLength += kept.length;
  }

  /** The answers that are kept; they are the caller's now. */
  release(): { id: RequestId; json: string }[] {
    return this.#held.splice(0);
  }

  /** A request is answered or cancelled; with the last, the POST is answered with what is held. */
  reduce(id: RequestId, cancelled: boolean, stream?: AnswerStream): void {
    this.#owed.splice(this.#owed.indexOf(id), 1);
    this.#options.onSettled?.({ id, cancelled, last: this.#owed.length === 0, stream });
    if (this.#owed.length > 0) return;
    stream?.finish();
    if (this.isSettled) return;
    if (this.#held.length === 0) return this.settle({ kind: "accepted" });
    const bodies = this.#held.map(({ json }) => json).join();
    this.settle({ kind: "json", body: this.#options.batch ? `[${bodies}]` : bodies });
  }

  /** Answers what is still owed with an error. */
  fail(answer: Exchange["answer"], errorOf: (id: RequestId, retryable: boolean) => JsonRpcResponse): void {
    for (const id of this.#owed.slice()) void answer(id, toWire(errorOf(id, this.#options.rerun)));
  }
}
