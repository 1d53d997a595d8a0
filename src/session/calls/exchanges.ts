/** How the exchanges of a session's POSTs are tied to its streams, its records of what is owed, and its alarm. @module */
import { expiryOf } from "../../expiry.ts";
import type { Call } from "../../host.ts";
import type { JsonRpcRequest, RequestId } from "../../jsonrpc/messages.ts";
import type { Settings } from "../../options.ts";
import type { Held, Leave } from "../../room.ts";
import { writeRequests } from "../../watch.ts";
import type { Exchange } from "../server/reply.ts";
import type { SessionRow } from "../store/schema.ts";
import type { OpenOutlet } from "../streams/outlet.ts";
import { openingOf } from "../streams/streams.ts";
import type { Delay } from "./delays.ts";
import {
  type AskedOnStream,
  CallExchange,
  type CallSide,
  JsonExchange,
  RelayExchange,
  type RelaySide,
} from "./exchange.ts";
import type { AnswerStream, Settled } from "./post.ts";
import type { SessionSide } from "./side.ts";
import type { Standalone } from "./standalone.ts";

/** One POST, or an interrupted call that runs again, as it is asked of the session. */
interface AskedOfSession extends AskedOnStream {
  readonly row: SessionRow;
  /** The POST whose connection takes the stream that may be opened; undefined for a call that runs again. */
  readonly post: AskedByPost | undefined;
  /** The record of what is owed, once there is one. */
  owed: number | undefined;
  /** Its server holds nothing of it any more: each request was settled, or the server is gone. */
  readonly over: Leave | undefined;
}

/** A POST, and the way to its connection. */
export interface AskedByPost {
  readonly call: Call;
  readonly open: OpenOutlet;
  /** The room that a large one takes: its exchange's from then on. */
  readonly held?: Held | undefined;
}

/** How long a request may run; Infinity for as long as it takes. */
export function callLimit({ maxCallMs, initializeTimeoutMs }: Settings, { method }: JsonRpcRequest): number {
  const most = maxCallMs === 0 ? Infinity : maxCallMs;
  return method === "initialize" ? Math.min(most, initializeTimeoutMs) : most;
}

/** The exchanges of one session. */
export class Exchanges implements CallSide<AskedOfSession>, RelaySide<AskedOfSession> {
  readonly quick: Delay;
  readonly maxHeld: number;
  readonly #side: SessionSide;
  readonly #standalone: Standalone;

  constructor(side: SessionSide, standalone: Standalone) {
    this.quick = side.options.quick;
    this.maxHeld = side.options.settings.maxEventBytes;
    this.#side = side;
    this.#standalone = standalone;
  }

  /** The exchange of a POST with requests in it. */
  of(row: SessionRow, requests: readonly JsonRpcRequest[], post: AskedByPost): Exchange {
    const { batch } = post.call.payload;
    const rerun = requests.every(this.#side.options.settings.rerun);
    const over = post.held?.leave;
    const asked = { row, requests, batch, rerun, post, owed: undefined, stream: undefined, over };
    if (row.kind === "http+sse") return new RelayExchange<AskedOfSession>(this, asked);
    return post.call.accept === "json"
      ? new JsonExchange<AskedOfSession>(this, asked)
      : new CallExchange<AskedOfSession>(this, asked);
  }

  /** That of an interrupted call: its answers go to `stream`, or, `owed`, are relayed. */
  again(
    row: SessionRow,
    requests: readonly JsonRpcRequest[],
    to: { readonly owed: number } | { readonly stream: AnswerStream },
  ): Exchange {
    const rerun = requests.every(this.#side.options.settings.rerun);
    const none = { post: undefined, owed: undefined, stream: undefined, over: undefined };
    const asked = { row, requests, batch: false, rerun, ...none };
    return "owed" in to
      ? new RelayExchange<AskedOfSession>(this, { ...asked, owed: to.owed })
      : new CallExchange<AskedOfSession>(this, { ...asked, stream: to.stream });
  }

  sendStandalone(json: string, answers: string | null): Promise<void> {
    return this.#standalone.send(json, answers);
  }

  asideStandalone(json: string): void {
    this.#standalone.aside(json);
  }

  lasting({ requests }: AskedOfSession): void {
    const { settings, now } = this.#side.options;
    const limit = Math.min(...requests.map((request) => callLimit(settings, request)));
    if (limit < Infinity) this.#side.by(now() + limit);
  }

  settled({ owed, over }: AskedOfSession, { id, cancelled, last, stream }: Settled): void {
    if (last) over?.();
    if (owed === undefined && stream === undefined) return;
    const held = this.#standalone.streams();
    if (held === undefined) return;
    if (owed !== undefined && last) held.settle(owed);
    else if (owed !== undefined) held.release(owed, id);
    else if (stream !== undefined && cancelled) held.release(stream.id, id);
  }

  resumes({ row }: AskedOfSession): boolean {
    return openingOf(row) === "prime";
  }

  suspended({ over }: AskedOfSession): void {
    over?.();
  }

  owe(asked: AskedOfSession): void {
    // A call that runs again is on record already.
    asked.owed ??= this.#side.streamsOf(asked.row).owe(idsOf(asked), keptOf(asked));
  }

  openStream(asked: AskedOfSession): AnswerStream {
    const { settings, now } = this.#side.options;
    const { row, post } = asked;
    const stream = this.#side.streamsOf(row).open(idsOf(asked), keptOf(asked));
    if (post !== undefined) {
      const { call, open } = post;
      const retryMs = call.noRetry ? undefined : settings.retryMs;
      const expiresAt = expiryOf(call.caller.authInfo);
      stream.attach(open(stream.id), { after: 0, opening: openingOf(row), retryMs, expiresAt });
    }
    this.#side.by(now() + Math.min(settings.messageTtlMs, settings.maxStreamMs));
    return stream;
  }
}

function idsOf({ requests }: AskedOfSession): RequestId[] {
  return requests.map(({ id }) => id);
}

/** What is stored of them, so that they can run again. */
function keptOf({ requests, rerun }: AskedOfSession): string | null {
  return rerun ? writeRequests(requests) : null;
}
