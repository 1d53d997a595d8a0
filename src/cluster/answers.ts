/** What sessions of a tenure answer, told once all that it follows from is stored. @module */
import type { Attach, Call, Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { Resident } from "../local/residents.ts";
import { within } from "../within.ts";
import type { Census } from "./census.ts";
import type { Gate } from "./gate.ts";
import type { Loaded } from "./loaded.ts";
import type { Owned } from "./owned.ts";

/** What has to be stored for an answer is waited for so long; then nothing can be said of it. */
export const STORE_MS = 10_000;

const REFUSED_UNSTORED: Refusal = { kind: "refused", failure: failures.notStored };

/** Whose sessions answer, and what holds their answers back. */
export interface AnswersOptions {
  readonly loaded: Loaded;
  readonly gate: Gate;
  readonly census: Census;
  readonly isOver: () => boolean;
}

/** How anything that a session has done is told to who asked for it. */
export interface Answers {
  /** Answers with what the session answers, once that may leave. */
  answer<R extends { kind: string }>(
    owned: Owned,
    ask: (resident: Resident) => Promise<R>,
  ): Promise<R | Refusal>;
  /** Does what is asked, where there is a place for the session in case it comes to be by it. */
  placed<T>(owned: Owned, asked: Call | Attach, body: () => Promise<T>): Promise<T | Refusal>;
  /** Resolves once what the session has written is stored; rejects where that is not known in time. */
  confirmed(owned: Owned): Promise<void>;
}

/** The answers of one tenure. */
export function createAnswers({ loaded, gate, census, isOver }: AnswersOptions): Answers {
  const { use, release, isStored } = loaded;

  /** False where it is not known in time whether what the session has written is stored. */
  const stored = async (key: number): Promise<boolean> => {
    const storing = gate.stored(key);
    return (
      storing === undefined ||
      (await within(
        storing.then(() => true),
        STORE_MS,
      )) === true
    );
  };

  return {
    async answer<R extends { kind: string }>(
      owned: Owned,
      ask: (resident: Resident) => Promise<R>,
    ): Promise<R | Refusal> {
      // Past its lease the process takes nothing on: it may all be another's.
      try {
        if (!gate.isHeld() && !(await stored(owned.key))) return REFUSED_UNSTORED;
        const reply = await use(owned, ask);
        if (gate.isHeld() && !gate.isDirty(owned.key)) return reply;
        return (await stored(owned.key)) ? reply : REFUSED_UNSTORED;
      } finally {
        release(owned);
      }
    },
    async placed<T>(owned: Owned, asked: Call | Attach, body: () => Promise<T>): Promise<T | Refusal> {
      const mayOpen = asked.opens || (asked.keyed !== undefined && !isStored(owned));
      if (!mayOpen) return body();
      owned.users += 1;
      const place = await census.enter(asked.caller.principal ?? null).catch(() => failures.unreachable);
      try {
        return "status" in place ? { kind: "refused", failure: place } : await body();
      } finally {
        owned.users -= 1;
        const isOpen = !isOver() && isStored(owned);
        if (!("status" in place)) place.entered(isOpen);
        if (!isOpen) release(owned);
      }
    },
    async confirmed({ key }) {
      if (!(await stored(key))) throw new Error(failures.notStored.error.message);
    },
  };
}
