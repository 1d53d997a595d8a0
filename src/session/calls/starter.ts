/**
 * Builds the session's server: a fresh one for `initialize`, else one that takes over the session as it is stored;
 * and notes what the server says of itself, so that the next one can.
 * @module
 */
import type { WaitUntil } from "../../background.ts";
import type { Notifier } from "../../changes.ts";
import { shortId } from "../../events.ts";
import type { Refusal, TransportKind } from "../../host.ts";
import type { JsonObject, JsonRpcRequest, JsonRpcResponse } from "../../jsonrpc/messages.ts";
import { questionPrefix } from "../../jsonrpc/questions.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Settings } from "../../options.ts";
import type { UserChannel } from "../../user/state.ts";
import { userOf } from "../../user/user.ts";
import type { CreateServer } from "../server/factory.ts";
import { listsChanged, markOf, promisesSubscriptions, subscribedInstead } from "../server/greeting.ts";
import type { Confirm } from "../server/in-flight.ts";
import { startInstance } from "../server/instance.ts";
import type { Journal } from "../server/journal.ts";
import type { KeptState } from "../server/state.ts";
import type { WakerOptions } from "../server/waker.ts";
import type { CallWatch } from "../../watch.ts";
import { PART, type SessionRow } from "../store/schema.ts";
import type { SessionStore } from "../store/store.ts";
import type { Phase } from "./phase.ts";

/** The session's row, as calls read and change it. */
export interface CalledSession {
  /** Undefined before the session is opened and after it has ended. */
  live(): SessionRow | undefined;
  /** Stores the session, with what `also` stores; where that fails there is none, here as there. */
  open(kind: TransportKind, fields: Partial<SessionRow>, also?: () => void): SessionRow;
  /** Any of its fields that changes says that the session is in use. */
  update(fields: Partial<SessionRow>): void;
  /** The answer for a session that is gone. */
  gone(principal: string | undefined, offerSuccessor: boolean): Promise<Refusal>;
}

/** The session as its server is built for it. */
export interface SessionSide<Env> {
  /** The session's id. */
  readonly id: string;
  readonly store: SessionStore;
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  /** The way to the state of the user of this name. */
  readonly userChannel: (name: string) => UserChannel;
  readonly lifecycle: CalledSession;
  /** The factory's `context.waitUntil`. */
  readonly waitUntil: WaitUntil;
  /** The topic of the session's requests. */
  readonly topic: () => string | undefined;
  /** Whether the session is found by its client's key. */
  readonly isKeyed: () => boolean;
  /** See {@link Confirm}; undefined where there is no hub. */
  readonly confirm: Confirm | undefined;
  /** Where the server publishes changes. */
  readonly notify: Notifier | undefined;
}

/** What a server is started with. */
export interface StarterOptions<Env> extends SessionSide<Env> {
  /** Undefined where nobody listens. */
  readonly watch: CallWatch | undefined;
  readonly phase: Phase;
  readonly state: KeptState;
  readonly journal: Journal;
  /** Where a message goes that belongs to no request. */
  readonly sendStandalone: (json: string) => Promise<void>;
  /** True while a client listens on the standalone stream. */
  readonly hasListener: () => boolean;
}

/** Returns what starts a server, for the waker. */
export function createStarter<Env>(options: StarterOptions<Env>): WakerOptions["start"] {
  const { id, store, settings, lifecycle, env, phase, state, journal, sendStandalone } = options;
  /** Whether the server that last introduced itself promises to keep subscriptions. */
  let keepsSubscriptions = false;

  const onAnswered = (request: JsonRpcRequest, response: JsonRpcResponse): void => {
    if (response.error !== undefined) return;
    if (request.method !== "initialize") return journal.record(request);
    const fields = {
      version: String(response.result?.["protocolVersion"]),
      initialize: JSON.stringify(request.params ?? {}),
      initialized: 0,
      greeting: markOf(response.result ?? {}),
    };
    keepsSubscriptions = promisesSubscriptions(response.result ?? {});
    if (fields.initialize.length > PART)
      throw new RangeError("The initialize request is too large to be kept");
    if (lifecycle.live() === undefined) {
      const principal = phase.opening()?.caller.principal ?? null;
      lifecycle.open("streamable", { ...fields, status: "provisional", principal }, state.keep);
    } else {
      const { initialized, ...introduced } = fields;
      // A session that is found by its key goes on as its client introduces itself anew.
      lifecycle.update(phase.opening() === undefined ? introduced : { ...introduced, initialized });
    }
    // Not before it is stored: no client gets the id of a session that does not exist.
    phase.accept();
  };

  /** A deploy may have changed the server under the session: its client is told once, and lists anew. */
  const onRehydrated = (result: JsonObject): void => {
    keepsSubscriptions = promisesSubscriptions(result);
    const row = lifecycle.live();
    const greeting = markOf(result);
    if (row === undefined || row.greeting === greeting) return;
    lifecycle.update({ greeting });
    // Of a session whose server has said nothing yet there is nothing to compare with.
    if (row.greeting === null || row.initialized === 0) return;
    settings.emit("session.server_changed", { session: shortId(id) });
    for (const changed of listsChanged(result)) void sendStandalone(toWire(changed));
  };

  /** A session can be there before any server: one of HTTP+SSE begins with its stream. */
  const isRehydrated = (row: SessionRow): boolean =>
    row.initialize !== null || phase.hasServed() || store.entries("state").length > 0;

  return (row, onClosed) => {
    const rehydrated = row !== undefined && isRehydrated(row);
    phase.serve();
    const principal = (row === undefined ? phase.opening()?.caller.principal : row.principal) ?? undefined;
    const session = { id, principal, state, rehydrated };
    const { notify } = options;
    const user = userOf({
      principal,
      topic: options.topic(),
      channel: options.userChannel,
      maxUserStateBytes: settings.maxUserStateBytes,
    });
    const context = {
      era: "session",
      session,
      env,
      waitUntil: options.waitUntil,
      ...(notify && { notify }),
      ...(user && { user }),
    } as const;
    const instance = startInstance({
      sessionId: id,
      questionPrefix: options.isKeyed() ? questionPrefix(id) : undefined,
      emit: settings.emit,
      watch: options.watch,
      hookTimeoutMs: settings.initializeTimeoutMs,
      create: () => options.createServer(context),
      toolErrors: settings.toolErrors,
      maxEventBytes: settings.maxEventBytes,
      progressHeartbeatMs: settings.progressHeartbeatMs,
      replay: {
        initialize: row?.initialize ? (JSON.parse(row.initialize) as JsonObject) : undefined,
        initialized: row?.initialized === 1,
        sticky: rehydrated ? journal.requests() : [],
      },
      sendUnrelated: sendStandalone,
      hasListener: options.hasListener,
      transaction: (body) => store.transaction(body),
      confirm: options.confirm,
      // Without a hub nothing would ever be heard of them.
      instead: (request, response) =>
        keepsSubscriptions && options.confirm !== undefined
          ? subscribedInstead(request, response)
          : undefined,
      onRehydrated,
      onAnswered,
      onClosed,
    });
    return { instance, rehydrated };
  };
}
