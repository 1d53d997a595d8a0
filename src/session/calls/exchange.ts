/**
 * One POST with requests in it, from dispatch to the last answer: three kinds with one face, over one `Post`.
 * Which it is depends on what the client can read, and is known from the start.
 *
 * |         | answers                          | what else belongs to them                     |
 * | ------- | -------------------------------- | --------------------------------------------- |
 * | `call`  | JSON where quick, else a stream of its own | the same stream, which it opens     |
 * | `json`  | JSON, however long it takes      | the standalone stream                         |
 * | `relay` | the standalone stream (HTTP+SSE) | the standalone stream; the POST is accepted   |
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import { type AnswerStream, type Asked, Post, type Side } from "./post.ts";

/** What exchanges of HTTP+SSE need. */
export interface RelaySide<A extends Asked> extends Side<A> {
  /** Records that answers are owed beyond the POST. */
  owe(asked: A): void;
}

/** A POST that may become a stream. */
export interface AskedOnStream extends Asked {
  /** The stream of a call that runs again: its POST is long over. */
  readonly stream?: AnswerStream | undefined;
}

/** What exchanges need that may become streams. */
export interface CallSide<A extends AskedOnStream> extends Side<A> {
  /** Whether its client knows how to come back for the answers. */
  resumes(asked: A): boolean;
  /** Opens the stream, with this POST's connection attached. */
  openStream(asked: A): AnswerStream;
  /** Its server is going, and its requests wait for the next one. */
  suspended?(asked: A): void;
}

/** The client reads JSON only. Nothing of it is stored: it is answered as it is, or not at all. */
export class JsonExchange<A extends Asked> extends Post<Side<A>, A> {
  readonly streams = false;

  constructor(side: Side<A>, asked: A) {
    super(side, asked);
    this.wait();
  }

  stores(): boolean {
    return false;
  }

  answer(id: RequestId, json: string): Promise<void> {
    this.hold(id, json);
    this.reduce(id, false);
    return Promise.resolve();
  }

  protected outlive(): void {
    this.side.lasting(this.asked);
  }
}

/** HTTP+SSE: the POST is only accepted, at the latest when the answer has not come quickly. */
export class RelayExchange<A extends Asked> extends Post<RelaySide<A>, A> {
  readonly streams = false;

  constructor(side: RelaySide<A>, asked: A) {
    super(side, asked);
    this.wait();
  }

  stores(): boolean {
    return true;
  }

  answer(id: RequestId, json: string): Promise<void> {
    const paced = this.side.sendStandalone(json, JSON.stringify(id));
    this.reduce(id, false);
    return paced;
  }

  protected outlive(): void {
    this.side.lasting(this.asked);
    this.side.owe(this.asked);
    this.settle({ kind: "accepted" });
  }
}

/**
 * Whatever needs more than a quick answer (time, a notification before it, a request to the client) turns the POST
 * into a stream, which then outlives its connection.
 */
export class CallExchange<A extends AskedOnStream> extends Post<CallSide<A>, A> {
  readonly streams = true;
  #stream: AnswerStream | undefined;

  constructor(side: CallSide<A>, asked: A) {
    super(side, asked);
    this.#stream = asked.stream;
    if (this.#stream === undefined) this.wait();
    else this.settle({ kind: "streaming" });
  }

  stores(): boolean {
    return this.#stream !== undefined;
  }

  answer(id: RequestId, json: string): Promise<void> {
    let paced: Promise<void> | undefined;
    // On a stream each is an event of its own.
    if (this.#stream === undefined && !this.fits(json)) this.late();
    if (this.#stream === undefined) this.hold(id, json);
    else paced = this.#stream.emit(json, JSON.stringify(id));
    this.reduce(id, false);
    return paced ?? Promise.resolve();
  }

  override send(json: string): Promise<void> {
    this.#begin();
    return this.#stream === undefined ? super.send(json) : this.#stream.emit(json, null);
  }

  override aside(json: string): void {
    this.#stream?.aside(json);
  }

  override close(): void {
    this.#begin();
    this.#stream?.end("closed");
  }

  override suspend(): void {
    if (!this.asked.rerun || !this.side.resumes(this.asked)) return super.suspend();
    this.#begin();
    this.side.suspended?.(this.asked);
  }

  protected override stream(): AnswerStream | undefined {
    return this.#stream;
  }

  protected outlive(): void {
    this.side.lasting(this.asked);
    const opened = (this.#stream = this.side.openStream(this.asked));
    this.settle({ kind: "streaming" });
    for (const { id, json } of this.release()) void opened.emit(json, JSON.stringify(id));
  }

  #begin(): void {
    if (!this.isSettled) this.outlive();
  }
}
