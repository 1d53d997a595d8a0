/**
 * The other processes, as this one asks them: what it cannot do itself because they have the session.
 * @module
 */
import type { Answer, Attach, Attached, Call, Caller, Refusal } from "../host.ts";
import type { Change } from "../changes.ts";
import { type EventSink, messageOf } from "../events.ts";
import { within } from "../within.ts";
import type { NodeRow } from "./engine.ts";
import { createPeerLink, type PeerLink } from "./peer-link.ts";
import { digestOf, type Seal } from "./seal.ts";
import { NotHere } from "./tenure.ts";
import {
  type Asked,
  decodeAnswer,
  decodeReply,
  encodeAttachBody,
  encodeCall,
  encodeEnd,
  HEAD_MS,
  HEADERS,
  NOWHERE,
  type Replied,
  reportUnreadable,
  SILENCE_MS,
  STATUS,
  stamped,
  STREAM_LINE,
} from "./wire.ts";

/** Nobody listens at the process's address: it has ended, and nothing of what was asked has been done. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/**
 * Each rejects with {@link NotHere} or {@link Refused} where nothing has been done, and with anything else where that is
 * not known.
 */
export interface Peers {
  post(to: NodeRow, session: string, call: Call): Promise<Answer>;
  attach(to: NodeRow, session: string, request: Attach): Promise<Attached>;
  end(to: NodeRow, session: string, caller: Caller): Promise<{ readonly kind: "ended" } | Refusal>;
  terminate(to: NodeRow, session: string): Promise<boolean>;
  isLive(to: NodeRow, session: string): Promise<boolean>;
  /** Tells a session there of changes. */
  notify(to: NodeRow, session: string, topic: string, changes: readonly Change[]): Promise<void>;
  /** Tells all who listen there. */
  publish(to: NodeRow, topic: string, changes: readonly Change[]): Promise<void>;
  /** The nodes that streams come from. */
  linked(): Iterable<string>;
  /** A node has nothing any more: its streams break, and are dialled anew. */
  lose(node: string): void;
  /** Ends all streams that come from other processes, with the hint to come back. */
  close(): void;
}

export function createPeers(seal: Seal, emit: EventSink): Peers {
  const links = new Map<string, Set<PeerLink>>();

  const ask = async (
    to: NodeRow,
    asked: Asked,
    session: string,
    body: string,
    aborting: AbortController = new AbortController(),
  ): Promise<Response> => {
    const digest = digestOf(body);
    const headers = stamped({
      "content-type": "text/plain",
      [HEADERS.node]: to.id,
      [HEADERS.session]: session,
      [HEADERS.digest]: digest,
      [HEADERS.signature]: seal.sign(asked, to.id, session, digest),
    });
    const timer = setTimeout(() => aborting.abort(new Error("no answer in time")), HEAD_MS);
    try {
      const response = await fetch(`${to.address}/cluster/${asked}`, {
        method: "POST",
        headers,
        body,
        redirect: "error",
        signal: aborting.signal,
      });
      if (response.status !== STATUS.notHere) return response;
      void response.body?.cancel();
    } catch (error) {
      if (isRefused(error)) throw new Refused(`nobody listens at ${to.address}`, { cause: error });
      emit("cluster.forward_failed", { node: to.id, what: asked, message: messageOf(error) });
      throw error;
    } finally {
      clearTimeout(timer);
    }
    throw new NotHere();
  };

  const linkOf = (
    to: NodeRow,
    session: string,
    connectionId: string,
    stream: { body: ReadableStreamDefaultReader<Uint8Array>; first: Uint8Array | undefined; at: string },
    aborting: AbortController,
  ): PeerLink => {
    const tell = (what: "ack" | "leave", seq: number): void =>
      void ask(to, what, session, JSON.stringify({ connectionId, seq })).then(
        (response) => response.body?.cancel(),
        () => {},
      );
    const held = links.get(to.id) ?? new Set();
    links.set(to.id, held);
    const link = createPeerLink({
      ...stream,
      at: stream.at === NOWHERE ? undefined : stream.at,
      onAck: (seq) => tell("ack", seq),
      onClose(seq) {
        held.delete(link);
        if (held.size === 0) links.delete(to.id);
        if (seq !== undefined) tell("leave", seq);
        aborting.abort();
      },
    });
    held.add(link);
    return link;
  };

  /** What was asked, read to where it is a stream. */
  const replied = async (
    to: NodeRow,
    what: "post" | "attach",
    session: string,
    request: { connectionId: string; body: string },
  ): Promise<Answer> => {
    const aborting = new AbortController();
    const response = await ask(to, what, session, request.body, aborting);
    try {
      if (response.status === STATUS.later && response.body !== null) {
        const reader = response.body.getReader();
        const { line, rest } = await firstLine(reader);
        const [version = "", kind = "", at = ""] = line.split(" ");
        if (kind === STREAM_LINE) {
          const stream = { body: reader, first: rest, at };
          return { kind: "stream", link: linkOf(to, session, request.connectionId, stream, aborting) };
        }
        return decodeAnswer(`${version} ${kind}\n${await restOf(reader, rest)}`);
      }
      const reply: Replied | undefined = await decodeReply(response);
      if (reply === undefined) throw new Error(`the process answered ${response.status}`);
      if (reply.kind !== "stream") return reply;
      const stream = { body: reply.body.getReader(), first: undefined, at: reply.at };
      return { kind: "stream", link: linkOf(to, session, request.connectionId, stream, aborting) };
    } catch (error) {
      aborting.abort();
      emit("cluster.forward_failed", { node: to.id, what, message: messageOf(error) });
      reportUnreadable(emit, "edge", `reply to ${what}`, error);
      throw error;
    }
  };

  const said = async (response: Response): Promise<boolean> => {
    await response.body?.cancel();
    if (response.status === 204 || response.status === 404) return response.status === 204;
    throw new Error(`the process answered ${response.status}`);
  };

  const told = async (response: Response): Promise<void> => {
    if (!(await said(response))) throw new Error("the process did not take the changes");
  };

  return {
    post: (to, session, call) =>
      replied(to, "post", session, { connectionId: call.connectionId(), body: encodeCall(call) }),
    async attach(to, session, request) {
      const { connectionId } = request;
      const reply = await replied(to, "attach", session, { connectionId, body: encodeAttachBody(request) });
      if (reply.kind === "stream" || reply.kind === "refused") return reply;
      throw new Error(`the process answered ${reply.kind}`);
    },
    async end(to, session, caller) {
      const response = await ask(to, "end", session, encodeEnd(caller));
      if (response.status === 204) return { kind: "ended" };
      const reply = await decodeReply(response);
      if (reply?.kind === "refused") return reply;
      throw new Error(`the process answered ${response.status}`);
    },
    terminate: async (to, session) => said(await ask(to, "terminate", session, "")),
    isLive: async (to, session) => said(await ask(to, "live", session, "")),
    notify: async (to, session, topic, changes) =>
      told(await ask(to, "notify", session, JSON.stringify({ topic, changes }))),
    publish: async (to, topic, changes) =>
      told(await ask(to, "publish", "", JSON.stringify({ topic, changes }))),
    linked: () => links.keys(),
    lose(node) {
      for (const link of links.get(node) ?? []) link.break();
    },
    close() {
      for (const held of links.values()) for (const link of held) link.shutdown();
    },
  };
}

const decoder = new TextDecoder();
const LF = 10;

/** Reads past the beats to the end of the first line that says something. */
async function firstLine(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ line: string; rest: Uint8Array | undefined }> {
  let held: Uint8Array = new Uint8Array();
  for (;;) {
    const read = await within(reader.read(), SILENCE_MS);
    if (read?.value === undefined) throw new Error("the process fell silent before it answered");
    const start = held.length === 0 ? read.value.findIndex((byte) => byte !== LF) : 0;
    if (start < 0) continue;
    const joined = new Uint8Array(held.length + read.value.length - start);
    joined.set(held);
    joined.set(read.value.subarray(start), held.length);
    held = joined;
    const end = held.indexOf(LF);
    if (end >= 0) return { line: decoder.decode(held.subarray(0, end)), rest: held.subarray(end + 1) };
  }
}

async function restOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  first: Uint8Array | undefined,
): Promise<string> {
  const text = new TextDecoder();
  let all = first === undefined ? "" : text.decode(first, { stream: true });
  for (;;) {
    const read = await within(reader.read(), SILENCE_MS);
    if (read === undefined) throw new Error("the process fell silent in its answer");
    if (read.done) return all + text.decode();
    all += text.decode(read.value, { stream: true });
  }
}

/** True where nobody listens: Node says so by a code, of the error or of one within; Deno and Bun in their own words. */
export function isRefused(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const { code } = at as { code?: unknown };
    if (code === "ECONNREFUSED" || code === "ConnectionRefused") return true;
    if (/connection refused/i.test(at.message)) return true;
    if (at instanceof AggregateError && at.errors.length > 0 && at.errors.every(isRefused)) return true;
  }
  return false;
}
