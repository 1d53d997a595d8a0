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
import { interrupted } from "../../jsonrpc/failures.ts";
import type { RequestId } from "../../jsonrpc/messages.ts";
import type { Exchange } from "../server/reply.ts";
import { type AnswerStream, Post, type PostOptions } from "./post.ts";

interface Standalone {
  /** Sends on the standalone stream; `answers` as in `Stream.emit`. */
  readonly sendStandalone: (json: string, answers: string | null) => Promise<void>;
}

/** What an exchange without a stream needs. */
export interface JsonOptions extends PostOptions, Standalone {
  /** Says something aside on the standalone stream: see `Stream.aside`. */
  readonly asideStandalone: (json: string) => void;
}

/** What an exchange of HTTP+SSE needs. */
export interface RelayOptions extends JsonOptions {
  /** Records that answers are owed beyond the POST. */
  readonly owe: () => void;
}

/** What an exchange needs that may become a stream. */
export interface CallOptions extends PostOptions, Standalone {
  /** Whether its client knows how to come back for the answers. */
  readonly resumes: boolean;
  /** The stream of a call that runs again: its POST is long over. */
  readonly stream?: AnswerStream | undefined;
  /** Opens the stream, with this POST's connection attached. */
  readonly openStream: () => AnswerStream;
  /** Its server is going, and its requests wait for the next one. */
  readonly onSuspended?: (() => void) | undefined;
}

interface WithoutStream extends Pick<Exchange, "answer"> {
  readonly post: Post;
  readonly options: Pick<JsonOptions, "sendStandalone" | "asideStandalone">;
  /** Whether its answers are stored. */
  readonly stores: boolean;
}

/** The exchange of a POST that has no stream of its own: what is not its answer goes to the standalone one. */
function withoutStream({ post, options, answer, stores }: WithoutStream): Exchange {
  const { sendStandalone, asideStandalone } = options;
  const fail: Exchange["fail"] = (errorOf) => post.fail(answer, errorOf);
  return {
    reply: post.reply,
    streams: false,
    stores: () => stores,
    answer,
    send: (json) => sendStandalone(json, null),
    aside: asideStandalone,
    cancel: (id) => post.reduce(id, true),
    close() {},
    fail,
    suspend: () => fail(interrupted),
  };
}

/** The client reads JSON only. Nothing of it is stored: it is answered as it is, or not at all. */
export function createJsonExchange(options: JsonOptions): Exchange {
  const post = new Post(options);
  const answer = (id: RequestId, json: string): Promise<void> => {
    post.hold(id, json);
    post.reduce(id, false);
    return Promise.resolve();
  };
  post.wait(() => {
    if (!post.isSettled) options.onLasting?.();
  });
  return withoutStream({ post, options, answer, stores: false });
}

/** HTTP+SSE: the POST is only accepted, at the latest when the answer has not come quickly. */
export function createRelayExchange(options: RelayOptions): Exchange {
  const post = new Post(options);
  const answer = (id: RequestId, json: string): Promise<void> => {
    const paced = options.sendStandalone(json, JSON.stringify(id));
    post.reduce(id, false);
    return paced;
  };
  post.wait(() => {
    if (post.isSettled) return;
    options.onLasting?.();
    options.owe();
    post.settle({ kind: "accepted" });
  });
  return withoutStream({ post, options, answer, stores: true });
}

/**
 * Whatever needs more than a quick answer (time, a notification before it, a request to the client) turns the POST
 * into a stream, which then outlives its connection.
 */
export function createCallExchange(options: CallOptions): Exchange {
  const post = new Post(options);
  let { stream } = options;

  const outlive = (): void => {
    if (post.isSettled) return;
    options.onLasting?.();
    const opened = (stream = options.openStream());
    post.settle({ kind: "streaming" });
    for (const { id, json } of post.release()) void opened.emit(json, JSON.stringify(id));
  };
  const answer = (id: RequestId, json: string): Promise<void> => {
    let paced = Promise.resolve();
    // On a stream each is an event of its own.
    if (stream === undefined && !post.fits(json)) {
      try {
        outlive();
      } catch {
        // The stream cannot be stored (a full disk).
      }
    }
    if (stream === undefined) post.hold(id, json);
    else paced = stream.emit(json, JSON.stringify(id));
    post.reduce(id, false, stream);
    return paced;
  };
  const fail: Exchange["fail"] = (errorOf) => post.fail(answer, errorOf);
  if (stream === undefined) post.wait(outlive);
  else post.settle({ kind: "streaming" });
  return {
    reply: post.reply,
    streams: true,
    stores: () => stream !== undefined,
    answer,
    send(json) {
      outlive();
      return stream === undefined ? options.sendStandalone(json, null) : stream.emit(json, null);
    },
    aside: (json) => stream?.aside(json),
    cancel: (id) => post.reduce(id, true, stream),
    close() {
      outlive();
      stream?.end("closed");
    },
    fail,
    suspend() {
      if (!options.rerun || !options.resumes) return fail(interrupted);
      outlive();
      options.onSuspended?.();
    },
  };
}
