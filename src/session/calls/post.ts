/**
 * What every exchange is built on: a POST that is answered once, and requests that are each owed an answer.
 *
 * It waits a moment for all answers: alone and quick, they go back as one JSON body and nothing is stored.
 * @module
 */
import { interrupted, tooLarge } from "../../jsonrpc/failures.ts";
import type { JsonRpcRequest, JsonRpcResponse, RequestId } from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import type { Stream } from "../streams/stream.ts";
import type { Delay, Waiting } from "./delays.ts";

/** The stream that a POST's answers take. */
export type AnswerStream = Pick<Stream, "id" | "emit" | "aside" | "end" | "finish">;

/** One POST with requests in it. */
export interface Asked {
  readonly requests: readonly JsonRpcRequest[];
  readonly batch: boolean;
  /** Whether its requests may run again. */
  readonly rerun: boolean;
}

/** What becomes of one request of a POST. */
export interface Settled {
  readonly id: RequestId;
  readonly cancelled: boolean;
  /** No other of the POST's is left. */
  readonly last: boolean;
  /** Where its POST's answers go. */
  readonly stream: AnswerStream | undefined;
}

/** Whoever the POSTs came to: one for all of them, so that no function is made for a call. */
export interface Side<A extends Asked = Asked> {
  /** How long a POST waits for an answer that needs no stream. */
  readonly quick: Delay;
  /** Most characters of the answers that are held for one JSON body: those of a batch come together. */
  readonly maxHeld: number;
  /** Sends on the standalone stream; `answers` as in `Stream.emit`. */
  sendStandalone(json: string, answers: string | null): Promise<void>;
  /** Says something aside on the standalone stream: see `Stream.aside`. */
  asideStandalone(json: string): void;
  /** It was not answered at once: from now on somebody must see to it that it ends. */
  lasting(asked: A): void;
  /** One of its requests is settled, by its answer or by cancellation. */
  settled?(asked: A, settled: Settled): void;
}

/** A class, for one is made for each call: its methods belong to no single one. */
export abstract class Post<S extends Side<A>, A extends Asked> implements Exchange, Waiting {
  protected readonly side: S;
  protected readonly asked: A;
  readonly #owed: RequestId[];
  readonly #held: { readonly id: RequestId; readonly json: string }[] = [];
  #heldLength = 0;
  #reply: Reply | undefined;
  #promise: Promise<Reply> | undefined;
  #resolve: ((reply: Reply) => void) | undefined;
  #ticket: number | undefined;

  constructor(side: S, asked: A) {
    this.side = side;
    this.asked = asked;
    this.#owed = asked.requests.map(({ id }) => id);
  }

  abstract readonly streams: boolean;
  abstract stores(): boolean;
  abstract answer(id: RequestId, json: string): Promise<void>;
  /** It is not answered by the end of its delay. */
  protected abstract outlive(): void;
  /** The stream that its answers take, where it has one. */
  protected stream(): AnswerStream | undefined {
    return undefined;
  }

  reply(): Reply | Promise<Reply> {
    return this.#reply ?? (this.#promise ??= new Promise((resolve) => (this.#resolve = resolve)));
  }

  get isSettled(): boolean {
    return this.#reply !== undefined;
  }

  send(json: string): Promise<void> {
    return this.side.sendStandalone(json, null);
  }

  aside(json: string): void {
    this.side.asideStandalone(json);
  }

  cancel(id: RequestId): void {
    this.reduce(id, true);
  }

  close(): void {}

  /** Answers what is still owed with an error. */
  fail(errorOf: (id: RequestId, retryable: boolean) => JsonRpcResponse): void {
    for (const id of this.#owed.slice()) void this.answer(id, toWire(errorOf(id, this.asked.rerun)));
  }

  suspend(): void {
    this.fail(interrupted);
  }

  late(): void {
    if (this.isSettled) return;
    try {
      this.outlive();
    } catch {
      // The stream cannot be stored (a full disk): its POST waits for the answer as long as it takes.
    }
  }

  /** Has `outlive` called unless the POST is answered within its delay. */
  protected wait(): void {
    this.#ticket = this.side.quick.start(this);
  }

  /** Answers the POST; what comes after the first answer to it changes nothing. */
  protected settle(reply: Reply): void {
    if (this.#ticket !== undefined) this.side.quick.stop(this.#ticket);
    if (this.#reply !== undefined) return;
    this.#reply = reply;
    this.#resolve?.(reply);
  }

  /** Whether the JSON body has room for one more answer; for the first, which is bounded by itself, it has. */
  protected fits(json: string): boolean {
    return this.#heldLength === 0 || this.#heldLength + json.length <= this.side.maxHeld;
  }

  /** Keeps an answer for the JSON body, or an error in its place where there is no room for it. */
  protected hold(id: RequestId, json: string): void {
    const kept = this.fits(json) ? json : toWire(tooLarge(id, json.length, this.side.maxHeld));
    this.#held.push({ id, json: kept });
    this.#heldLength += kept.length;
  }

  /** The answers that are kept; they are the caller's now. */
  protected release(): { readonly id: RequestId; readonly json: string }[] {
    return this.#held.splice(0);
  }

  /** A request is answered or cancelled; with the last, the POST is answered with what is held. */
  protected reduce(id: RequestId, cancelled: boolean): void {
    const owed = this.#owed;
    // The last by `pop`: what `splice` takes out it makes an array of.
    if (owed.at(-1) === id) owed.pop();
    else owed.splice(owed.indexOf(id), 1);
    const last = owed.length === 0;
    const stream = this.stream();
    this.side.settled?.(this.asked, { id, cancelled, last, stream });
    if (!last) return;
    stream?.finish();
    if (this.isSettled) return;
    if (this.#held.length === 0) return this.settle({ kind: "accepted" });
    const bodies = this.#held.map(({ json }) => json).join();
    this.settle({ kind: "json", body: this.asked.batch ? `[${bodies}]` : bodies });
  }
}
