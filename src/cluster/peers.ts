/**
 * The other processes, as this one asks them: what it cannot do itself because they have the session.
 * @module
 */
import type { Answer, Attach, Attached, Call, Caller, Refusal } from "../host.ts";
import type { Change } from "../changes.ts";
import type { EventSink } from "../events.ts";
import { messageOf } from "../log-text.ts";
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { SessionDetail } from "../sessions.ts";
import { within } from "../within.ts";
import type { NodeRow } from "./engine.ts";
import { createPeerLink, type PeerLink } from "./peer-link.ts";
import { digestOf, type Seal } from "./seal.ts";
import { NotHere } from "./owned.ts";
import {
  type Asked,
  decodeAnswer,
  decodeDetail,
  decodeGuestReply,
  decodeReply,
  encodeAttachBody,
  encodeCall,
  encodeEnd,
  encodeGuestRequest,
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

/** Nobody, or another, listens at the process's address: it has ended, and nothing of what was asked has been done. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** A session where it was found. */
export interface At {
  readonly node: NodeRow;
  readonly session: string;
}

/**
 * Each rejects with {@link NotHere} or {@link Refused} where nothing has been done, and with anything else where that is
 * not known.
 */
export interface Peers {
  post(at: At, call: Call): Promise<Answer>;
  attach(at: At, request: Attach): Promise<Attached>;
  end(at: At, caller: Caller): Promise<{ readonly kind: "ended" } | Refusal>;
  terminate(at: At): Promise<boolean>;
  isLive(at: At): Promise<boolean>;
  /** The session as it is there; undefined where there is none. */
  inspect(at: At): Promise<SessionDetail | undefined>;
  /** Asks a guest there. */
  askGuest(at: At, request: JsonObject, caller: Caller | undefined): Promise<JsonObject>;
  /** Tells a session there of changes. */
  notify(at: At, topic: string, changes: readonly Change[]): Promise<void>;
  /** Tells all who listen there. */
  publish(to: NodeRow, topic: string, changes: readonly Change[]): Promise<void>;
  /** The nodes that streams come from. */
  linked(): Iterable<string>;
  /** A node has nothing any more: its streams break, and are dialled anew. */
  lose(node: string): void;
  /** Ends all streams that come from other processes, with the hint to come back. */
  close(): void;
}

interface Question extends At {
  readonly asked: Asked;
  readonly body: string;
  /** Aborts the request, and a stream that is its answer. */
  readonly aborting?: AbortController;
}

/** Nobody has been asked yet. */
export function createPeers(seal: Seal, emit: EventSink): Peers {
  const links = new Map<string, Set<PeerLink>>();

  const ask = async ({
    node: to,
    session,
    asked,
    body,
    aborting = new AbortController(),
  }: Question): Promise<Response> => {
    const digest = digestOf(body);
    const headers = stamped({
      "content-type": "text/plain",
      [HEADERS.node]: to.id,
      [HEADERS.session]: session,
      [HEADERS.digest]: digest,
      [HEADERS.signature]: seal.sign(asked, to.id, session, digest),
    });
    const timer = setTimeout(() => aborting.abort(new Error("no answer in time")), HEAD_MS);
    let found: string;
    try {
      const response = await fetch(`${to.address}/cluster/${asked}`, {
        method: "POST",
        headers,
        ...sentOnce(body),
        redirect: "error",
        signal: aborting.signal,
      });
      if (response.status !== STATUS.notHere) return response;
      void response.body?.cancel();
      found = response.headers.get(HEADERS.node) ?? to.id;
    } catch (error) {
      if (isRefused(error)) throw new Refused(`nobody listens at ${to.address}`, { cause: error });
      emit("cluster.forward_failed", { node: to.id, what: asked, message: messageOf(error) });
      throw error;
    } finally {
      clearTimeout(timer);
    }
    // One that was killed and started again: nobody need wait for the lease of what it was.
    if (found !== to.id) throw new Refused(`another process listens at ${to.address}`);
    throw new NotHere();
  };

  const linkOf = (
    { node: to, session }: At,
    connectionId: string,
    stream: {
      readonly body: ReadableStreamDefaultReader<Uint8Array>;
      readonly first: Uint8Array | undefined;
      readonly at: string;
      readonly aborting: AbortController;
    },
  ): PeerLink => {
    const tell = (asked: "ack" | "leave", seq: number): void =>
      void ask({ node: to, session, asked, body: JSON.stringify({ connectionId, seq }) }).then(
        (response) => response.body?.cancel(),
        () => {},
      );
    const held = links.get(to.id) ?? new Set();
    links.set(to.id, held);
    const link = createPeerLink({
      body: stream.body,
      first: stream.first,
      at: stream.at === NOWHERE ? undefined : stream.at,
      onAck: (seq) => tell("ack", seq),
      onClose(seq) {
        held.delete(link);
        if (held.size === 0) links.delete(to.id);
        if (seq !== undefined) tell("leave", seq);
        stream.aborting.abort();
      },
    });
    held.add(link);
    return link;
  };

  /** What was asked, read to where it is a stream. */
  const replied = async (
    at: At,
    asked: "post" | "attach",
    { connectionId, body }: { readonly connectionId: string; readonly body: string },
  ): Promise<Answer> => {
    const aborting = new AbortController();
    const response = await ask({ ...at, asked, body, aborting });
    try {
      if (response.status === STATUS.later && response.body !== null) {
        const reader = response.body.getReader();
        const { line, rest } = await firstLine(reader);
        const [version = "", kind = "", place = ""] = line.split(" ");
        if (kind === STREAM_LINE) {
          const stream = { body: reader, first: rest, at: place, aborting };
          return { kind: "stream", link: linkOf(at, connectionId, stream) };
        }
        return decodeAnswer(`${version} ${kind}\n${await restOf(reader, rest)}`);
      }
      const reply: Replied | undefined = await decodeReply(response);
      if (reply === undefined) throw new Error(`the process answered ${response.status}`);
      if (reply.kind !== "stream") return reply;
      const stream = { body: reply.body.getReader(), first: undefined, at: reply.at, aborting };
      return { kind: "stream", link: linkOf(at, connectionId, stream) };
    } catch (error) {
      aborting.abort();
      emit("cluster.forward_failed", { node: at.node.id, what: asked, message: messageOf(error) });
      reportUnreadable(emit, { at: "edge", what: `reply to ${asked}` }, error);
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
    post: (at, call) => replied(at, "post", { connectionId: call.connectionId(), body: encodeCall(call) }),
    async attach(at, request) {
      const { connectionId } = request;
      const reply = await replied(at, "attach", { connectionId, body: encodeAttachBody(request) });
      if (reply.kind === "stream" || reply.kind === "refused") return reply;
      throw new Error(`the process answered ${reply.kind}`);
    },
    async end(at, caller) {
      const response = await ask({ ...at, asked: "end", body: encodeEnd(caller) });
      if (response.status === 204) return { kind: "ended" };
      const reply = await decodeReply(response);
      if (reply?.kind === "refused") return reply;
      throw new Error(`the process answered ${response.status}`);
    },
    terminate: async (at) => said(await ask({ ...at, asked: "terminate", body: "" })),
    isLive: async (at) => said(await ask({ ...at, asked: "live", body: "" })),
    async inspect(at) {
      const response = await ask({ ...at, asked: "inspect", body: "" });
      if (response.status !== 200) return void (await said(response));
      return decodeDetail(await response.text(), at.session);
    },
    async askGuest(at, request, caller) {
      const response = await ask({ ...at, asked: "guest", body: encodeGuestRequest(request, caller) });
      if (response.status === 200) return decodeGuestReply(await response.text());
      await response.body?.cancel();
      throw new Error(`the process answered ${response.status}`);
    },
    notify: async (at, topic, changes) =>
      told(await ask({ ...at, asked: "notify", body: JSON.stringify({ topic, changes }) })),
    publish: async (node, topic, changes) =>
      told(await ask({ node, session: "", asked: "publish", body: JSON.stringify({ topic, changes }) })),
    linked: () => links.keys(),
    lose(node) {
      for (const link of links.get(node) ?? []) link.break();
    },
    close() {
      for (const held of links.values()) for (const link of held) link.shutdown();
    },
  };
}

/**
 * Deno sends a POST anew by itself where a connection that has been used before breaks under it, though it was read and
 * may have run (seen with 2.9): at the address of a process that was killed that ends as a refusal, and looks as if
 * nothing had been done. A body that is a stream it cannot send twice. Node and Bun send none twice.
 */
const sentOnce: (body: string) => { body: string | ReadableStream<Uint8Array>; duplex?: "half" } =
  "Deno" in globalThis
    ? (body) => ({ body: new Blob([body]).stream(), duplex: "half" })
    : (body) => ({ body });

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
