/**
 * Builds the session's server: a fresh one for `initialize`, else one that takes over the session as it is stored;
 * and notes what the server says of itself, so that the next one can.
 * @module
 */
import { shortId } from "../../log-text.ts";
import type { JsonObject, JsonRpcRequest, JsonRpcResponse } from "../../jsonrpc/messages.ts";
import { questionPrefix } from "../../jsonrpc/questions.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Settings } from "../../options.ts";
import { userOf } from "../../user/user.ts";
import type { CallWatch } from "../../watch.ts";
import type { ServerContext } from "../server/factory.ts";
import { listsChanged, markOf, promisesSubscriptions, subscribedInstead } from "../server/greeting.ts";
import type { Confirm } from "../server/call.ts";
import { Instance, type InstanceSide } from "../server/instance.ts";
import type { Journal } from "../server/journal.ts";
import { createState, type KeptState } from "../server/state.ts";
import type { Starting } from "../server/waker.ts";
import { PART, type SessionRow } from "../store/schema.ts";
import type { Phase } from "./phase.ts";
import type { ServingSide } from "./side.ts";
import type { Standalone } from "./standalone.ts";

/** What servers are started with. */
export interface StarterParts {
  /** Undefined where nobody listens. */
  readonly watch: CallWatch | undefined;
  readonly phase: Phase;
  readonly journal: Journal;
  readonly standalone: Standalone;
}

/** Starts the session's servers, and is what all of them belong to. */
export class Starter<Env> implements Starting, InstanceSide {
  readonly sessionId: string;
  readonly settings: Settings;
  readonly watch: CallWatch | undefined;
  readonly #side: ServingSide<Env>;
  readonly #phase: Phase;
  readonly #journal: Journal;
  readonly #standalone: Standalone;
  readonly #state: KeptState;
  /** Whether the server that last introduced itself promises to keep subscriptions. */
  #keepsSubscriptions = false;

  constructor(side: ServingSide<Env>, { watch, phase, journal, standalone }: StarterParts) {
    const { id, settings, store } = side.options;
    this.sessionId = id;
    this.settings = settings;
    this.watch = watch;
    this.#side = side;
    this.#phase = phase;
    this.#journal = journal;
    this.#standalone = standalone;
    const isOpening = (): boolean => phase.opening() !== undefined && side.lifecycle.live() === undefined;
    this.#state = createState(store, settings.maxStateBytes, isOpening);
  }

  start(row: SessionRow | undefined, onClosed: () => void): { instance: Instance; rehydrated: boolean } {
    const { createServer } = this.#side.options;
    const rehydrated = row !== undefined && this.#isRehydrated(row);
    this.#phase.serve();
    const context = this.#contextOf(row, rehydrated);
    const instance = new Instance(this, {
      questionPrefix: this.#side.isKeyed() ? questionPrefix(this.sessionId) : undefined,
      create: () => createServer(context),
      replay: {
        initialize: row?.initialize ? (JSON.parse(row.initialize) as JsonObject) : undefined,
        initialized: row?.initialized === 1,
        sticky: rehydrated ? this.#journal.requests() : [],
      },
      onClosed,
    });
    return { instance, rehydrated };
  }

  sendUnrelated(json: string): Promise<void> {
    return this.#standalone.send(json);
  }

  hasListener(): boolean {
    return this.#standalone.hasListener();
  }

  transaction<T>(body: () => T): T {
    return this.#side.options.store.transaction(body);
  }

  confirm(request: JsonRpcRequest, response: JsonRpcResponse): ReturnType<Confirm> {
    return this.#side.confirm?.(request, response);
  }

  instead(request: JsonRpcRequest, response: JsonRpcResponse): JsonRpcResponse | undefined {
    // Without a hub nothing would ever be heard of them.
    const isKept = this.#keepsSubscriptions && this.#side.confirm !== undefined;
    return isKept ? subscribedInstead(request, response) : undefined;
  }

  onAnswered(request: JsonRpcRequest, response: JsonRpcResponse): void {
    if (response.error !== undefined) return;
    if (request.method === "initialize") this.#introduced(request, response);
    else this.#journal.record(request);
  }

  /** A deploy may have changed the server under the session: its client is told once, and lists anew. */
  onRehydrated(result: JsonObject): void {
    this.#keepsSubscriptions = promisesSubscriptions(result);
    const { lifecycle } = this.#side;
    const row = lifecycle.live();
    const greeting = markOf(result);
    if (row === undefined || row.greeting === greeting) return;
    lifecycle.update({ greeting });
    // Of a session whose server has said nothing yet there is nothing to compare with.
    if (row.greeting === null || row.initialized === 0) return;
    this.settings.emit("session.server_changed", { session: shortId(this.sessionId) });
    for (const changed of listsChanged(result)) void this.#standalone.send(toWire(changed));
  }

  #introduced(request: JsonRpcRequest, response: JsonRpcResponse): void {
    const { lifecycle } = this.#side;
    const fields = {
      version: String(response.result?.["protocolVersion"]),
      initialize: JSON.stringify(request.params ?? {}),
      initialized: 0,
      greeting: markOf(response.result ?? {}),
    };
    this.#keepsSubscriptions = promisesSubscriptions(response.result ?? {});
    if (fields.initialize.length > PART)
      throw new RangeError("The initialize request is too large to be kept");
    const opening = this.#phase.opening();
    if (lifecycle.live() === undefined) {
      const principal = opening?.caller.principal ?? null;
      const keep = (): void => this.#state.keep();
      lifecycle.open("streamable", { ...fields, status: "provisional", principal }, keep);
    } else {
      const { initialized, ...introduced } = fields;
      // A session that is found by its key goes on as its client introduces itself anew.
      lifecycle.update(opening === undefined ? introduced : { ...introduced, initialized });
    }
    // Not before it is stored: no client gets the id of a session that does not exist.
    this.#phase.accept();
  }

  /** A session can be there before any server: one of HTTP+SSE begins with its stream. */
  #isRehydrated(row: SessionRow): boolean {
    const { store } = this.#side.options;
    return row.initialize !== null || this.#phase.hasServed() || store.entries("state").length > 0;
  }

  #contextOf(row: SessionRow | undefined, rehydrated: boolean): ServerContext<Env> {
    const { options, notify, waitUntil } = this.#side;
    const { id, env } = options;
    const principal =
      (row === undefined ? this.#phase.opening()?.caller.principal : row.principal) ?? undefined;
    const user = userOf({
      principal,
      topic: this.#side.topic(),
      channel: options.userChannel,
      maxUserStateBytes: this.settings.maxUserStateBytes,
    });
    const session = { id, principal, state: this.#state, rehydrated };
    return { era: "session", session, env, waitUntil, ...(notify && { notify }), ...(user && { user }) };
  }
}
