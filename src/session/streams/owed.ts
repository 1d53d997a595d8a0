/**
 * What streams owe: the requests whose answers are due on them. A stream is complete when its stored answers
 * cover them; nothing is written to say so.
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import type { StreamRow } from "../store/schema.ts";
import type { Answered, SessionStore } from "../store/store.ts";

/** A call that was in flight in an isolate that is gone. */
export interface Unfinished {
  readonly stream: number;
  readonly kind: "call" | "relay";
  /** Client's ids of the requests that were never answered. */
  readonly ids: readonly RequestId[];
  /** The POST's messages as JSON, where they may run again. */
  readonly request: string | null;
  readonly attempts: number;
  /** When the call began to take longer than a quick answer. */
  readonly created: number;
}

/** Calls that an earlier isolate left unanswered. */
export function unfinishedIn(store: SessionStore): Unfinished[] {
  const found: Unfinished[] = [];
  for (const stored of store.streams()) {
    if (stored.kind === "standalone") continue;
    const ids = owedBy(stored);
    const { stream, kind, request, attempts, created } = stored;
    if (ids.length > 0) found.push({ stream, kind, ids, request, attempts, created });
  }
  return found;
}

/** The requests of a stream that no stored event answers. */
export function owedBy({ pending, answered }: Pick<StreamRow, "pending"> & Answered): RequestId[] {
  const settled = JSON.parse(`[${answered ?? ""}]`) as RequestId[];
  return (JSON.parse(pending) as RequestId[]).filter((id) => !settled.includes(id));
}

/** The requests of each stream that are owed still, for those of which one was struck off in this isolate. */
export class Owing {
  readonly #store: SessionStore;
  readonly #owing = new Map<number, RequestId[]>();

  constructor(store: SessionStore) {
    this.#store = store;
  }

  /** Notes what a new stream owes. */
  add(stream: number, ids: readonly RequestId[]): void {
    this.#owing.set(stream, [...ids]);
  }

  /** Nothing more is due for these requests; returns what is left, as the stream's row has it. The row is read once, if at all. */
  strike(stream: number, ids: readonly RequestId[]): string {
    const owed =
      this.#owing.get(stream) ?? (JSON.parse(this.#store.streamRow(stream)?.pending ?? "[]") as RequestId[]);
    for (const id of ids) if (owed.includes(id)) owed.splice(owed.indexOf(id), 1);
    this.#owing.set(stream, owed);
    return JSON.stringify(owed);
  }

  forget(stream: number): void {
    this.#owing.delete(stream);
  }
}
