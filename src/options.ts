/**
 * Every setting: its default and its bounds. Options are checked and completed
 * once, here; the rest of the code sees {@link Settings} only.
 * @module
 */
import type { DisconnectReason, EventSink, HoldfastEvent } from "./events.ts";
import { eventSink } from "./event-sink.ts";
import { runHook } from "./hooks.ts";
import {
  type AllowedOrigins,
  checkBasePath,
  checkHosts,
  checkOrigins,
  checkPublicUrl,
} from "./option-checks.ts";
import type { JsonRpcRequest } from "./jsonrpc/messages.ts";
import { ANYTHING, checkKinds, FUNCTION, type Kind, type Kinds, STRING, STRINGS } from "./setup.ts";
import { prettyLine } from "./log.ts";
import type { OnCall } from "./watch.ts";

/** What an idle stream carries: an SSE comment, a named event, or a JSON-RPC `ping` that must be answered. */
export type KeepaliveMode = "comment" | "event" | "ping" | "jsonrpc";

/** What `onDisconnect` is told, once for each client connection that carried a stream. */
export interface Disconnect {
  /** Undefined for a stream of 2026-07-28, which has no sessions. */
  sessionId: string | undefined;
  connectionId: string;
  reason: DisconnectReason;
  durationMs: number;
}

/** Numbers: `[default, least, most]`. Durations are milliseconds, sizes are bytes. */
const NUMBERS = {
  /** Silence after which a keepalive is written. 0 writes none. */
  keepaliveIntervalMs: [15_000, 0, 86_400_000],
  /** Keepalives in a row that may fail before the connection is closed. */
  keepaliveMaxFailures: [3, 1, 1000],
  /** How often the session looks whether the edges that hold its streams are alive. */
  superviseIntervalMs: [300_000, 1000, 86_400_000],
  /** Keepalives allowed within `rapidWindowMs` before the connection counts as spinning. 0 switches the guard off. */
  rapidMax: [50, 0, 1_000_000],
  /** The window of `rapidMax`. */
  rapidWindowMs: [1000, 1, 86_400_000],
  /** The `retry:` hint. SDK clients try twice at this pace and then give up, so twice this must outlast a restart. */
  retryMs: [3000, 0, 3_600_000],
  /** A write that the client has not taken for this long counts as a failure. 0 waits for ever. */
  sendTimeoutMs: [30_000, 0, 3_600_000],
  /** Longest life of one connection; the client resumes where it was. */
  maxStreamMs: [3_600_000, 100, 604_800_000],
  /** A session with no open stream ends this long after its last request, to within a tenth. */
  sessionTtlMs: [3_600_000, 100, 31_536_000_000],
  /** Longest age at which a message can still be replayed. */
  messageTtlMs: [600_000, 100, 31_536_000_000],
  /** How long an ended session is remembered, so that it can name its successor. */
  tombstoneTtlMs: [86_400_000, 100, 31_536_000_000],
  /** How long a session waits for its first use after it was opened; until then nothing of it is kept beyond that. */
  provisionalTtlMs: [300_000, 100, 86_400_000],
  /** Most sessions that are open at once. In one process only, as the two that follow. */
  maxSessions: [100_000, 1, 1_000_000_000],
  /** Most of them that belong to one principal. */
  maxSessionsPerPrincipal: [10_000, 1, 1_000_000_000],
  /** Most sessions in memory. 0 goes by the size of the heap. */
  maxResidents: [0, 0, 100_000_000],
  /** Most events that one stream keeps for replay. */
  maxEvents: [2000, 1, 1_000_000],
  /** Most bytes that one stream keeps for replay. */
  maxStoredBytes: [33_554_432, 1024, 1_073_741_824],
  /** Most events that a session keeps for replay, over all of its streams. */
  maxSessionEvents: [20_000, 1, 10_000_000],
  /** Most bytes that a session keeps for replay, over all of its streams. */
  maxSessionBytes: [134_217_728, 1024, 8_589_934_592],
  /** Largest single message the server may send. */
  maxEventBytes: [16_777_216, 1024, 268_435_456],
  /** Largest body of a POST. */
  maxBodyBytes: [4_194_304, 1, 268_435_456],
  /** Largest `params` of `initialize`: they are kept with the session, and with its tombstone. */
  maxInitializeBytes: [65_536, 1024, 1_048_576],
  /** Most bytes of bodies that are being received and parsed at once, in an isolate or process. */
  maxBodyBytesInFlight: [33_554_432, 1024, 68_719_476_736],
  /** How long a body may take to come. */
  bodyTimeoutMs: [30_000, 10, 3_600_000],
  /** Most requests in flight in one session. */
  maxInFlight: [1000, 1, 1_000_000],
  /** Largest `session.state`, as JSON. */
  maxStateBytes: [1_048_576, 0, 67_108_864],
  /** Largest state of one user, as JSON. */
  maxUserStateBytes: [1_048_576, 0, 67_108_864],
  /** Most resource subscriptions that one session remembers. */
  maxSubscriptions: [1000, 0, 1_000_000],
  /** Most bytes of resource subscriptions (URIs above all) that one session remembers. */
  maxSubscriptionBytes: [1_048_576, 0, 67_108_864],
  /** A call answered within this time gets plain JSON; after it, an event stream. */
  quickAnswerMs: [100, 0, 1000],
  /** How long a call may run, restarts included; then it is cancelled and answered with an error. 0 waits for ever. */
  maxCallMs: [86_400_000, 0, 31_536_000_000],
  /** Silence of a call that asked for progress, after which the transport reports some. 0 reports none. */
  progressHeartbeatMs: [25_000, 0, 86_400_000],
  /** How long the user's code may take before a request goes on: `authorize`, scope challenges, a server's start. */
  initializeTimeoutMs: [10_000, 10, 600_000],
  /** How long the end of a connection may take, hooks included. */
  cleanupTimeoutMs: [5000, 10, 600_000],
} as const;

/** Choices: the first is the default. */
const CHOICES = {
  /** What a keepalive is: an SSE comment, an event `keepalive` or `ping`, or a JSON-RPC `ping` that the client must answer. */
  keepaliveMode: ["comment", "event", "ping", "jsonrpc"],
  /**
   * What the next request of a session finds whose time is up. `revive`: the session, under its own id, its state
   * kept and its old events gone. `rotate`: a 404 that names a successor, ready to use. `spec`: a plain 404.
   */
  recovery: ["revive", "rotate", "spec"],
  /** A request of the session eras without a session id: a server of its own serves it, or it is answered 400. */
  sessionless: ["serve", "refuse"],
  /** A resume from events that are no longer held: go on after the gap, or answer 404. */
  onGap: ["continue", "404"],
  /** What a tool's client is told of what it throws: a reference under which the log has it, or its message. */
  toolErrors: ["hidden", "message"],
  /** Least level that the default logger prints. */
  logLevel: ["info", "debug", "warn", "error", "silent"],
  /** What it prints: lines for people or JSON. `auto` is `pretty` on a terminal, in one process, and else `json`. */
  logFormat: ["auto", "pretty", "json"],
} as const;

type Numbers = { -readonly [Name in keyof typeof NUMBERS]: number };
type Choices = { -readonly [Name in keyof typeof CHOICES]: (typeof CHOICES)[Name][number] };

/** Settings as users give them; all optional. See `docs/options.md` for each one's default and bounds. */
export interface HoldfastOptions extends Partial<Numbers>, Partial<Choices> {
  /** Origins that browsers may call from, besides the server's own and, on localhost, localhost. */
  allowedOrigins?: AllowedOrigins;
  /**
   * Names that this server is reached by over plain http, besides localhost and the host of `publicUrl`:
   * `mcp.lan`, `*.internal.example`, or `*` for any; ports do not count. With it, every request must name one
   * of these. Without it, a name that a web page could have rebound to this server is refused, unless a proxy
   * says that it has passed the request on.
   */
  allowedHosts?: readonly string[];
  /** Path in front of all routes, such as `/api`. */
  basePath?: string;
  /** Absolute URL that clients see for the mount point, where a proxy rewrites it. */
  publicUrl?: string;
  /**
   * Whether a request that a restart interrupted may run again. Reads of the protocol itself
   * (`tools/list`, `resources/read`, …) always may; this decides for the rest, tool calls above all.
   */
  rerun?: (request: JsonRpcRequest) => boolean;
  /** Receives every structured event. Without it, events are logged as JSON lines from `logLevel` up. */
  onEvent?: (event: HoldfastEvent) => unknown;
  /** Runs each call, for what its handlers are to run within, such as a span: see {@link OnCall}. */
  onCall?: OnCall;
  /** Runs once for each client connection that carried a stream, after it ended. */
  onDisconnect?: (disconnect: Disconnect) => void | Promise<void>;
  /** Answers `GET /test`: `consolePage()` of `holdfast/console`. Without it there is no such path. */
  console?: () => Response;
}

/** The options that are neither numbers nor choices, each with what it must be. */
const OTHERS: Required<{ [Name in Exclude<keyof HoldfastOptions, keyof Numbers | keyof Choices>]: Kind }> = {
  allowedOrigins: ["a list of origins, or a function", (value) => FUNCTION[1](value) || STRINGS[1](value)],
  allowedHosts: STRINGS,
  basePath: STRING,
  publicUrl: STRING,
  rerun: FUNCTION,
  onEvent: FUNCTION,
  onCall: FUNCTION,
  onDisconnect: FUNCTION,
  console: FUNCTION,
};

/** Every option of {@link HoldfastOptions}, for `checkGiven`: numbers and choices are checked as they are read. */
export const OPTIONS: Kinds = {
  ...OTHERS,
  ...Object.fromEntries([...keysOf(NUMBERS), ...keysOf(CHOICES)].map((name) => [name, ANYTHING])),
};

/** All settings, checked and complete. */
export interface Settings extends Readonly<Numbers>, Readonly<Choices> {
  readonly allowedOrigins: AllowedOrigins;
  /** In lower case, without ports; undefined where none was given. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly basePath: string;
  readonly publicUrl: string | undefined;
  readonly rerun: (request: JsonRpcRequest) => boolean;
  readonly emit: EventSink;
  readonly onCall: OnCall | undefined;
  readonly onDisconnect: ((disconnect: Disconnect) => void | Promise<void>) | undefined;
  readonly console: (() => Response) | undefined;
}

/** Methods that only read: running one again changes nothing but the answer's date. */
const READS = new Set([
  "ping",
  "tools/list",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "logging/setLevel",
]);

/**
 * Checks options and fills in the defaults.
 * @throws {RangeError | TypeError} naming the option that is wrong
 */
export function resolveOptions(options: HoldfastOptions = {}): Settings {
  checkKinds(options, OTHERS);
  const numbers = {} as Numbers;
  for (const name of keysOf(NUMBERS)) numbers[name] = checkNumber(name, options[name]);
  const choices = {} as Choices;
  for (const name of keysOf(CHOICES)) Object.assign(choices, { [name]: checkChoice(name, options[name]) });
  if (numbers.keepaliveIntervalMs >= numbers.sessionTtlMs) {
    throw new RangeError(
      `keepaliveIntervalMs (${numbers.keepaliveIntervalMs}) must be less than sessionTtlMs (${numbers.sessionTtlMs})`,
    );
  }
  if (numbers.maxBodyBytes > numbers.maxBodyBytesInFlight) {
    throw new RangeError(
      `maxBodyBytes (${numbers.maxBodyBytes}) must be at most maxBodyBytesInFlight (${numbers.maxBodyBytesInFlight})`,
    );
  }
  const { rerun: userRerun, onEvent, onCall, onDisconnect, console } = options;
  const emit = eventSink(onEvent, choices.logLevel, choices.logFormat === "pretty" ? prettyLine : undefined);
  return Object.freeze({
    ...numbers,
    ...choices,
    allowedOrigins: checkOrigins(options.allowedOrigins ?? []),
    allowedHosts: options.allowedHosts && checkHosts(options.allowedHosts),
    basePath: checkBasePath(options.basePath ?? ""),
    publicUrl: checkPublicUrl(options.publicUrl),
    rerun: (request: JsonRpcRequest) =>
      READS.has(request.method) ||
      (userRerun !== undefined && runHook(emit, "rerun", () => userRerun(request)) === true),
    emit,
    onCall,
    onDisconnect,
    console,
  });
}

/**
 * Hands over each option that a text can say, with how it is read; lists are separated by commas.
 * @throws {RangeError} from `parse`, of a text that says none, in words that begin with the option's name
 */
export function eachByText(read: (name: string, parse: (text: string) => unknown) => void): void {
  for (const name of keysOf(NUMBERS)) read(name, (text) => checkNumber(name, Number(text), text));
  for (const name of keysOf(CHOICES)) read(name, (text) => checkChoice(name, text));
  read("allowedOrigins", (text) => checkOrigins(listed(text)));
  read("allowedHosts", (text) => checkHosts(listed(text)));
  read("basePath", checkBasePath);
  read("publicUrl", checkPublicUrl);
}

/** The settings that `/info` shows: numbers and choices, nothing that could hold a secret. */
export function publicSettings(settings: Settings): Record<string, number | string> {
  return Object.fromEntries([...keysOf(NUMBERS), ...keysOf(CHOICES)].map((name) => [name, settings[name]]));
}

function listed(text: string): string[] {
  return text.split(",").map((each) => each.trim());
}

function keysOf<T extends object>(record: T): (keyof T & string)[] {
  return Object.keys(record) as (keyof T & string)[];
}

/** @param given what the user wrote, for the message */
function checkNumber(name: keyof Numbers, value: number | undefined, given: unknown = value): number {
  const [fallback, least, most]: readonly [number, number, number] = NUMBERS[name];
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `${name} must be a whole number from ${least} to ${most}, not ${typeof value === "string" ? JSON.stringify(value) : String(given)}`,
    );
  }
  return value;
}

function checkChoice<Name extends keyof Choices>(name: Name, value: string | undefined): Choices[Name] {
  const choices: readonly string[] = CHOICES[name];
  const chosen = value ?? choices[0];
  if (chosen === undefined || !choices.includes(chosen)) {
    throw new RangeError(`${name} must be one of ${choices.join(", ")}, not ${String(value)}`);
  }
  return chosen as Choices[Name];
}
