/**
 * Where the two halves meet. Above: routes and edge, which own the client's HTTP connection and never
 * see a session. Below: the session, which never sees HTTP. A host puts a session somewhere (a Durable
 * Object, this process) and carries the types of this file between the halves.
 * @module
 */
import type { WaitUntil } from "./background.ts";
import type { ChangeBus } from "./changes.ts";
import type { Caller } from "./caller.ts";
import type { Endings } from "./endings.ts";
import type { DisconnectReason } from "./events.ts";
import type { GuestKind, Guests } from "./guest.ts";
import type { Failure } from "./jsonrpc/failures.ts";
import type { Payload } from "./jsonrpc/messages.ts";
import type { Settings } from "./options.ts";
import type { SessionLogs, Sessions } from "./sessions.ts";
import type { UserChannel } from "./user/state.ts";

export type { Caller } from "./caller.ts";

/** The two ways to have a session: Streamable HTTP (2025-03-26 on) and HTTP+SSE (2024-11-05). */
export type TransportKind = "streamable" | "http+sse";

/** One POST. */
export interface Call {
  /** True for the `initialize` that opens a session on a minted id; without it and `keyed` none is created. */
  readonly opens: boolean;
  /** For a session that is named by its client's key: it comes to be with whatever request comes first. */
  readonly keyed?: Keyed | undefined;
  readonly transport: TransportKind;
  readonly caller: Caller;
  /** The body as it came: what crosses to another isolate. */
  readonly text: string;
  /** The same, parsed. */
  readonly payload: Payload;
  /** What the client reads: JSON or an event stream as suits the answer, or JSON alone. */
  readonly accept: "any" | "json";
  /** The client fails on `retry:`: its stream is to have none. */
  readonly noRetry?: boolean | undefined;
  /** HTTP+SSE: without a stream that takes the answers, requests are refused. */
  readonly needsStream?: boolean | undefined;
  /** The name of the client's connection: the same each time. */
  readonly connectionId: () => string;
}

/** How a session begins that no `initialize` has opened. */
export interface Keyed {
  /** The protocol revision that the first request names, or stands for. */
  readonly version: string;
}

/**
 * A POST that is answered by its status alone.
 * `refused` is the status of the refusal that its requests were sent on their stream instead (HTTP+SSE).
 */
export interface Accepted {
  readonly kind: "accepted";
  readonly refused?: number | undefined;
}

/** What becomes of a call. */
export type Answer = Accepted | JsonAnswer | { readonly kind: "stream"; readonly link: Link } | Refusal;

/** One JSON body; `opened` where it is the InitializeResult of a session that exists from now on. */
export interface JsonAnswer {
  readonly kind: "json";
  readonly body: string;
  readonly opened?: boolean;
}

/** A call or a stream that was turned away; `successor` is the session to go on with. */
export interface Refusal {
  readonly kind: "refused";
  readonly failure: Failure;
  readonly successor?: string | undefined;
}

/** A request for a stream. */
export interface Attach {
  /** True for the stream that opens an HTTP+SSE session on a minted id. */
  readonly opens: boolean;
  /** As in {@link Call}. */
  readonly keyed?: Keyed | undefined;
  readonly transport: TransportKind;
  readonly caller: Caller;
  /** The client's connection. A link that is dialled again under it has a name of its own, which begins with this. */
  readonly connectionId: string;
  /** Resume after this event; undefined for the standalone stream from where it was left. */
  readonly lastEventId: string | undefined;
  /** True when an edge dials again under a connection that its client still holds: no priming. */
  readonly redial: boolean;
  /** As in {@link Call}. */
  readonly noRetry?: boolean | undefined;
  /** Its client comes back without an event id: what it was handed is noted at once. */
  readonly notesPlace?: boolean | undefined;
}

/** What an attach became: a link, or why there is none. */
export type Attached = { readonly kind: "stream"; readonly link: Link } | Refusal;

/**
 * The edge's end of a stream. Chunks are cut anywhere; together they are whole SSE frames, with
 * control frames (see `edge/control.ts`) among them.
 *
 * A link that ends without an `end` control frame broke: the edge dials again.
 */
export interface Link {
  /** Where to dial again from, should the link break before its first chunk. */
  readonly at?: string | undefined;
  /** The next chunk; undefined once the link is over. Rejects where it broke. */
  read(): Promise<Uint8Array | undefined>;
  /**
   * Everything up to event `seq` has been handed to the client's connection: more may come, and nobody need get it
   * again. Called for each write; a link for which that is a message of its own puts several together.
   */
  ack(seq: number): void;
  /** Proof of life of the edge, for the session's supervision. Wakes nobody. */
  beat(): void;
  /**
   * The client's connection is about to end: says how far it came, and resolves once the session has heard it, or cannot.
   * For a link whose session hears of that too late by `close`.
   */
  reached?(seq: number): Promise<void>;
  /** The client is gone or done with; `seq` is the last event it was handed. */
  close(reason: DisconnectReason, seq: number): void;
}

/** A session as the edge addresses it. No method creates one but by a request that says so. */
export interface SessionRef {
  /** The session's id, as it stands in `Mcp-Session-Id`. */
  readonly id: string;
  /** Tells that the call's requests died with the session's isolate, where that was one of its own. */
  diedUnder?(call: Call): void;
  /** Rejects where the session's isolate died before it answered. */
  post(call: Call): Promise<Answer>;
  /** Takes up a stream, from an event on or from where it stands. */
  attach(request: Attach): Promise<Attached>;
  /** Ends the session on its client's word (DELETE). */
  end(caller: Caller): Promise<{ readonly kind: "ended" } | Refusal>;
}

/** A place for sessions. `Env` is what the platform gives each request. */
export interface SessionHost<Env = unknown> {
  /** The session with this id, or undefined for an id that this host cannot have issued. Wakes nothing. */
  find(id: string, env: Env): SessionRef | undefined;
  /** A session that does not exist yet, under a fresh unguessable id. It comes to be with an opening call. */
  mint(env: Env): SessionRef;
  /**
   * The session of this name, the same each time, whether it is there yet or not. Wakes nothing.
   * @param name of topic, principal and key (`nameOfParts`), so that nobody can choose another's
   */
  named(name: string, env: Env): SessionRef;
  /** The way to a user's state, under a name of topic and principal. */
  user(name: string, env: Env): UserChannel;
  /** What lives here besides sessions. */
  guests(env: Env): Guests;
  /**
   * Keeps what a request has begun once it is answered (`context.waitUntil`), in the platform's own way; what it is
   * given never rejects. Without it such work goes on as long as its isolate does.
   */
  keep?(work: Promise<void>): void;
  /**
   * Gives what requests wait for this much time, in milliseconds, behind one timer for all of them: where timers outlive
   * the request that sets them. Without it each request sets its own.
   */
  limit?(ms: number): <T>(promise: Promise<T>) => Promise<T | undefined>;
  /**
   * Looks whether this host has what it needs. Called for each request, so it is cheap, and wakes nothing.
   * @throws {SetupError} saying what is missing
   */
  check?(env: Env): void;
  /**
   * Looks at what costs more to look at, for `/health`.
   * @throws {SetupError} saying what is wrong
   */
  look?(): void;
  /** Who has been shut out (`Sessions.endAll`), for what belongs to no session; without it nobody is. */
  readonly endings?: Endings | undefined;
  /** Its sessions from the server's side: what `admin` shows. */
  readonly sessions?: Sessions | undefined;
  /** Notes there what happens to sessions that come into memory from now on; the first that it is given is kept. */
  keepLogs?(logs: SessionLogs): void;
}

/** A request that belongs to no session, past the router's guards. */
export interface StatelessCall<Env = unknown> {
  readonly request: Request;
  /** The request's body, parsed. */
  readonly payload: Payload;
  readonly caller: Caller;
  readonly env: Env;
  /** Where changes are published and heard; undefined where there is no hub. */
  readonly bus: ChangeBus | undefined;
  readonly topic: string;
  /** The way to a user's state; see {@link SessionHost.user}. */
  readonly userChannel: (name: string) => UserChannel;
  /** The factory's `context.waitUntil`. */
  readonly waitUntil: WaitUntil;
  /** What lives besides sessions; see {@link SessionHost.guests}. */
  readonly guests: () => Guests;
  /** The mark of its host's endings as it came. */
  readonly since: number;
  /** As in {@link SessionHost}. */
  readonly endings?: Endings | undefined;
  /** The router's. */
  readonly settings: Settings;
  /** Hears of what goes wrong outside the protocol. */
  readonly onError: (error: unknown) => void;
}

/** Serves requests of the session eras that name no session: `requestHandler`. */
export interface RequestHandler<Env = unknown> {
  /** Answers one POST, for which a server of its own is built. */
  handle(call: StatelessCall<Env>): Promise<Response>;
}

/** Serves the stateless era without sessions: `modernHandler` of `holdfast/modern`. */
export interface ModernHandler<Env = unknown> {
  /** The revisions that it serves. */
  readonly versions: readonly string[];
  /** What it needs to live besides sessions, in the session class or the database file; for the hosts. */
  readonly guest?: GuestKind | undefined;
  /** True where the request's header alone says that it is of this era. A body that says otherwise decides. */
  claimsByHeader(request: Request): boolean;
  /** True where the request is of this era. */
  claims(request: Request, payload: Payload): boolean;
  /** Answers; a stream is carried as every stream of the router's is, at the reader's pace and with keepalives. */
  handle(call: StatelessCall<Env>): Promise<Response>;
  /** Ends all that is open: calls are cancelled, listeners get their result. */
  close(): Promise<void>;
}
