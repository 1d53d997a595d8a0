/**
 * How a session comes to be, ages, and ends. Its row goes from `provisional` (nobody has used it yet,
 * since it was opened or named as a successor) to `active` to `ended` (a tombstone that can name a
 * successor), then to nothing. An HTTP+SSE session, which is in use from the start, one that its client
 * deleted, and one that was never used leave no tombstone.
 * @module
 */
import { shortId } from "../log-text.ts";
import type { Refusal, TransportKind } from "../host.ts";
import { type Failure, sessionNotFound } from "../jsonrpc/failures.ts";
import { randomStreamId } from "../sse/event-id.ts";
import type { SessionOptions } from "./ports.ts";
import type { SessionRow } from "./store/schema.ts";
import { retireStandalone } from "./streams/streams.ts";

/** What the life of a session needs of its host. */
export type LifecycleOptions = Pick<
  SessionOptions<unknown>,
  "id" | "store" | "settings" | "now" | "successors" | "erase" | "onTombstone" | "onRevive"
>;

/** True for a successor that nobody has used: what a client has opened itself, it has yet to complete. */
export function isSuccessor(row: SessionRow): boolean {
  return row.status === "provisional" && row.initialized === 1;
}

/** The session's row over time, which nobody else writes. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  #row: SessionRow | undefined;
  #used: number;
  #successor: Promise<string> | undefined;

  /** Reads the session's row. Throws `LaterSchema` where a later version stored it. */
  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#row = options.store.load();
    this.#used = this.#row?.seen ?? 0;
  }

  /** The session's row while it can be used; undefined before it is opened and after it has ended. */
  live(): SessionRow | undefined {
    return this.#row?.status === "ended" ? undefined : this.#row;
  }

  /** Stores the session, with what `also` stores; where that fails there is none, here as there. */
  open(kind: TransportKind, fields: Partial<SessionRow>, also?: () => void): SessionRow {
    const { id, store, now } = this.#options;
    const seen = (this.#used = now());
    const opened: SessionRow = {
      id,
      kind,
      status: "active",
      principal: null,
      version: "2024-11-05",
      initialize: null,
      initialized: 0,
      standalone: randomStreamId(),
      created: seen,
      seen,
      ended: null,
      successor: null,
      greeting: null,
      ...fields,
    };
    store.transaction(() => {
      store.open(opened);
      also?.();
    });
    return (this.#row = opened);
  }

  /** The row, if the session may be used by this principal over this transport. */
  admit(principal: string | undefined, transport: TransportKind): SessionRow | undefined {
    const current = this.live();
    if (current?.kind !== transport || current.principal !== (principal ?? null)) return undefined;
    return current;
  }

  /** Notes that the session is in use: written at once where it was not before, then at most once in a tenth of its TTL. */
  touch(): void {
    const seen = (this.#used = this.#options.now());
    const current = this.live();
    if (current === undefined) return;
    if (current.status === "provisional") this.update({});
    else if (seen - current.seen > this.#timeToLive(current) / 10) this.update({ seen });
  }

  /** How long ago the session was opened, in milliseconds. */
  age(): number {
    const now = this.#options.now();
    return now - (this.#row?.created ?? now);
  }

  /** When the session was last used, as far as this isolate knows. */
  lastUsed(): number {
    return this.#used;
  }

  /** True where nothing is stored under this id: it was never opened, or has been forgotten. */
  isVacant(): boolean {
    return this.#row === undefined;
  }

  /** True for a tombstone that its client's next request may wake (`recovery: "revive"`). */
  isAsleep(): boolean {
    const row = this.#row;
    return this.#options.settings.recovery === "revive" && row?.status === "ended" && row.initialize !== null;
  }

  /** True where this caller's next request is that one. */
  isRevivable(principal: string | undefined, transport: TransportKind): boolean {
    const row = this.#row;
    return this.isAsleep() && row?.kind === transport && row.principal === (principal ?? null);
  }

  /** True for a tombstone of this caller's that nothing wakes: under its key the client begins anew. */
  isSpent(principal: string | undefined): boolean {
    const row = this.#row;
    return (
      this.#options.settings.recovery !== "revive" &&
      row?.status === "ended" &&
      row.kind === "streamable" &&
      row.principal === (principal ?? null)
    );
  }

  /**
   * Makes a live session of the tombstone, with these fields changed; the returned function takes that back. Where
   * there is no place for one more session, that is returned instead, and nothing has changed.
   */
  revive(fields?: Partial<SessionRow>): (() => void) | Failure {
    const { now, onRevive, onTombstone } = this.#options;
    const { ended, principal } = this.#row as SessionRow;
    const failure = onRevive?.(principal);
    if (failure !== undefined) return failure;
    try {
      this.update({ ...fields, status: "active", ended: null, seen: (this.#used = now()) });
    } catch (error) {
      onTombstone?.(principal);
      throw error;
    }
    return () => {
      // Deleted meanwhile, it has given its place back already.
      if (this.live() === undefined) return;
      this.update({ status: "ended", ended: ended ?? now() });
      onTombstone?.(principal);
    };
  }

  /** Any of its fields that changes says that the session is in use. */
  update(changed: Partial<SessionRow>): void {
    const row = this.#row;
    if (row === undefined) return;
    const { store, now } = this.#options;
    const fields: Partial<SessionRow> =
      row.status === "provisional" ? { status: "active", seen: now(), ...changed } : changed;
    store.update(fields);
    this.#row = { ...row, ...fields };
  }

  /** When the session, or its tombstone, is due to end; `inUse` while a stream is open. */
  deadline(inUse: boolean): number | undefined {
    const row = this.#row;
    if (row === undefined) return undefined;
    const { tombstoneTtlMs, provisionalTtlMs } = this.#options.settings;
    if (row.status === "ended") return (row.ended ?? 0) + tombstoneTtlMs;
    if (inUse) return undefined;
    // The stored time may lag a tenth behind the last use; no session ends early for it.
    const left = this.#timeToLive(row) * 1.1;
    if (row.status === "active") return Math.max(this.#used, row.seen) + left;
    // A successor is named to clients whose session has just ended: its own time does not depend on that one's.
    return row.created + (isSuccessor(row) ? provisionalTtlMs : Math.min(provisionalTtlMs, left));
  }

  /** Ends the session; `forget` leaves no tombstone. */
  async end(forget: boolean): Promise<void> {
    const { store, settings, now, onTombstone } = this.#options;
    const current = this.live();
    if (current === undefined) {
      // A tombstone goes on its client's word.
      if (forget && this.#row !== undefined) await this.forget();
      return;
    }
    if (
      forget ||
      current.kind === "http+sse" ||
      current.status === "provisional" ||
      settings.recovery === "spec"
    ) {
      return this.forget();
    }
    store.transaction(() => {
      const isRevivable = settings.recovery === "revive";
      if (isRevivable) retireStandalone(store, current.standalone, now());
      store.clear(isRevivable);
      this.update({ status: "ended", ended: now() });
    });
    onTombstone?.(current.principal);
  }

  /** The tombstone's time is up. */
  async forget(): Promise<void> {
    this.#row = undefined;
    await this.#options.erase();
  }

  /** The 404 for a session that is gone, naming its successor where that is due. */
  async gone(principal: string | undefined, offerSuccessor: boolean): Promise<Refusal> {
    const plain: Refusal = { kind: "refused", failure: sessionNotFound };
    const row = this.#row;
    const offered =
      offerSuccessor &&
      this.#options.settings.recovery !== "spec" &&
      row?.status === "ended" &&
      row.principal === (principal ?? null);
    if (!offered || row === undefined) return plain;
    try {
      this.#successor ??= this.#findSuccessor(row);
      return { ...plain, successor: await this.#successor };
    } catch {
      // No successor could be made: the plain answer is still right.
      return plain;
    } finally {
      this.#successor = undefined;
    }
  }

  #timeToLive({ kind }: SessionRow): number {
    const { sessionTtlMs, messageTtlMs } = this.#options.settings;
    // Nobody can come back to an HTTP+SSE session without something to replay.
    return kind === "http+sse" ? Math.min(sessionTtlMs, messageTtlMs) : sessionTtlMs;
  }

  /** One successor at a time, whoever asks; a new one only where the last was never used or has ended too. */
  async #findSuccessor(tombstone: SessionRow): Promise<string> {
    const { id, settings, successors } = this.#options;
    const { successor: known, principal, version, initialize } = tombstone;
    if (known !== null && (await successors.isLive(known))) return known;
    const created = await successors.create({ principal, version, initialize });
    this.update({ successor: created });
    settings.emit("session.rotated", { session: shortId(id), successor: shortId(created) });
    return created;
  }
}
