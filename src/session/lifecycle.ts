/**
 * How a session comes to be, ages, and ends. Its row goes from `provisional` (nobody has used it yet,
 * since it was opened or named as a successor) to `active` to `ended` (a tombstone that can name a
 * successor), then to nothing. An HTTP+SSE session, which is in use from the start, one that its client
 * deleted, and one that was never used leave no tombstone.
 * @module
 */
import { shortId } from "../events.ts";
import type { Refusal, TransportKind } from "../host.ts";
import { type Failure, sessionNotFound } from "../jsonrpc/failures.ts";
import { randomStreamId } from "../sse/event-id.ts";
import type { SessionOptions } from "./ports.ts";
import type { SessionRow } from "./store/schema.ts";
import { retireStandalone } from "./streams/streams.ts";

/** The session's row over time, which nobody else writes. */
export interface Lifecycle {
  /** The session's row while it can be used; undefined before it is opened and after it has ended. */
  live(): SessionRow | undefined;
  /** Stores the session, with what `also` stores; where that fails there is none, here as there. */
  open(kind: TransportKind, fields: Partial<SessionRow>, also?: () => void): SessionRow;
  /** The row, if the session may be used by this principal over this transport. */
  admit(principal: string | undefined, transport: TransportKind): SessionRow | undefined;
  /** Notes that the session is in use: written at once where it was not before, then at most once in a tenth of its TTL. */
  touch(): void;
  /** How long ago the session was opened, in milliseconds. */
  age(): number;
  /** When the session was last used, as far as this isolate knows. */
  lastUsed(): number;
  /** True where nothing is stored under this id: it was never opened, or has been forgotten. */
  isVacant(): boolean;
  /** True for a tombstone that its client's next request may wake (`recovery: "revive"`). */
  isAsleep(): boolean;
  /** True where this caller's next request is that one. */
  isRevivable(principal: string | undefined, transport: TransportKind): boolean;
  /** True for a tombstone of this caller's that nothing wakes: under its key the client begins anew. */
  isSpent(principal: string | undefined): boolean;
  /**
   * Makes a live session of the tombstone, with these fields changed; the returned function takes that back. Where
   * there is no place for one more session, that is returned instead, and nothing has changed.
   */
  revive(fields?: Partial<SessionRow>): (() => void) | Failure;
  /** Any of its fields that changes says that the session is in use. */
  update(fields: Partial<SessionRow>): void;
  /** When the session, or its tombstone, is due to end; `inUse` while a stream is open. */
  deadline(inUse: boolean): number | undefined;
  /** Ends the session; `forget` leaves no tombstone. */
  end(forget: boolean): Promise<void>;
  /** The tombstone's time is up. */
  forget(): Promise<void>;
  /** The 404 for a session that is gone, naming its successor where that is due. */
  gone(principal: string | undefined, offerSuccessor: boolean): Promise<Refusal>;
}

/** What the life of a session needs of its host. */
export type LifecycleOptions = Pick<
  SessionOptions<unknown>,
  "id" | "store" | "settings" | "now" | "successors" | "erase" | "onTombstone" | "onRevive"
>;

/** True for a successor that nobody has used: what a client has opened itself, it has yet to complete. */
export function isSuccessor(row: SessionRow): boolean {
  return row.status === "provisional" && row.initialized === 1;
}

/** Reads the session's row. Throws `LaterSchema` where a later version stored it. */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { id, store, settings, now, successors } = options;
  let row = store.load();
  // In an object: of a variable that closures share V8 makes a new number on the heap for each time it is set.
  const used = { at: row?.seen ?? 0 };
  let successor: Promise<string> | undefined;

  const live = (): SessionRow | undefined => (row?.status === "ended" ? undefined : row);

  const update = (changed: Partial<SessionRow>): void => {
    if (row === undefined) return;
    const fields: Partial<SessionRow> =
      row.status === "provisional" ? { status: "active", seen: now(), ...changed } : changed;
    store.update(fields);
    row = { ...row, ...fields };
  };

  const timeToLive = (of: SessionRow): number =>
    // Nobody can come back to an HTTP+SSE session without something to replay.
    of.kind === "http+sse" ? Math.min(settings.sessionTtlMs, settings.messageTtlMs) : settings.sessionTtlMs;

  const erase = async (): Promise<void> => {
    row = undefined;
    await options.erase();
  };

  /** One successor at a time, whoever asks; a new one only where the last was never used or has ended too. */
  const findSuccessor = async (tombstone: SessionRow): Promise<string> => {
    const { successor: known, principal, version, initialize } = tombstone;
    if (known !== null && (await successors.isLive(known))) return known;
    const created = await successors.create({ principal, version, initialize });
    update({ successor: created });
    settings.emit("session.rotated", { session: shortId(id), successor: shortId(created) });
    return created;
  };

  const isAsleep = (): boolean =>
    settings.recovery === "revive" && row?.status === "ended" && row.initialize !== null;

  return {
    live,
    isAsleep,
    open(kind, fields, also) {
      const seen = (used.at = now());
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
      return (row = opened);
    },
    admit(principal, transport) {
      const current = live();
      if (current?.kind !== transport || current.principal !== (principal ?? null)) return undefined;
      return current;
    },
    touch() {
      const seen = (used.at = now());
      const current = live();
      if (current === undefined) return;
      if (current.status === "provisional") update({});
      else if (seen - current.seen > timeToLive(current) / 10) update({ seen });
    },
    age: () => now() - (row?.created ?? now()),
    lastUsed: () => used.at,
    isVacant: () => row === undefined,
    isRevivable: (principal, transport) =>
      isAsleep() && row?.kind === transport && row.principal === (principal ?? null),
    isSpent: (principal) =>
      settings.recovery !== "revive" &&
      row?.status === "ended" &&
      row.kind === "streamable" &&
      row.principal === (principal ?? null),
    revive(fields) {
      const { ended, principal } = row as SessionRow;
      const failure = options.onRevive?.(principal);
      if (failure !== undefined) return failure;
      try {
        update({ ...fields, status: "active", ended: null, seen: (used.at = now()) });
      } catch (error) {
        options.onTombstone?.(principal);
        throw error;
      }
      return () => {
        // Deleted meanwhile, it has given its place back already.
        if (live() === undefined) return;
        update({ status: "ended", ended: ended ?? now() });
        options.onTombstone?.(principal);
      };
    },
    update,
    deadline(inUse) {
      if (row === undefined) return undefined;
      if (row.status === "ended") return (row.ended ?? 0) + settings.tombstoneTtlMs;
      if (inUse) return undefined;
      // The stored time may lag a tenth behind the last use; no session ends early for it.
      const left = timeToLive(row) * 1.1;
      if (row.status === "active") return Math.max(used.at, row.seen) + left;
      const { provisionalTtlMs } = settings;
      // A successor is named to clients whose session has just ended: its own time does not depend on that one's.
      return row.created + (isSuccessor(row) ? provisionalTtlMs : Math.min(provisionalTtlMs, left));
    },
    async end(forget) {
      const current = live();
      if (current === undefined) {
        // A tombstone goes on its client's word.
        if (forget && row !== undefined) await erase();
        return;
      }
      if (
        forget ||
        current.kind === "http+sse" ||
        current.status === "provisional" ||
        settings.recovery === "spec"
      ) {
        return erase();
      }
      store.transaction(() => {
        const isRevivable = settings.recovery === "revive";
        if (isRevivable) retireStandalone(store, current.standalone, now());
        store.clear(isRevivable);
        update({ status: "ended", ended: now() });
      });
      options.onTombstone?.(current.principal);
    },
    forget: erase,
    async gone(principal, offerSuccessor) {
      const plain: Refusal = { kind: "refused", failure: sessionNotFound };
      const offered =
        offerSuccessor &&
        settings.recovery !== "spec" &&
        row?.status === "ended" &&
        row.principal === (principal ?? null);
      if (!offered || row === undefined) return plain;
      try {
        successor ??= findSuccessor(row);
        return { ...plain, successor: await successor };
      } catch {
        // No successor could be made: the plain answer is still right.
        return plain;
      } finally {
        successor = undefined;
      }
    },
  };
}
