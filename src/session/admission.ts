/**
 * Which requests may use the session, and what one finds whose session is not there: begun by its client's key, taken
 * up again after its time was up, or gone.
 * @module
 */
import { shortId } from "../events.ts";
import type { Attach, Call, Caller, Keyed, Refusal } from "../host.ts";
import { isResponse, unknownClient } from "../jsonrpc/messages.ts";
import { randomStreamId } from "../sse/event-id.ts";
import { isSuccessor, type Lifecycle } from "./lifecycle.ts";
import type { SessionOptions } from "./ports.ts";
import type { SessionRow } from "./store/schema.ts";

/** Finds the session's row for a request. */
export interface Admission {
  /** The row as it was before this request, if the request may use it; says that the session is in use. */
  admit(request: Call | Attach): SessionRow | undefined;
  /** The row of one that was not admitted, once its session has begun or been revived; or why there is none. */
  otherwise(request: Call | Attach): Promise<SessionRow | Refusal>;
}

/** What admission asks of the rest of the session. */
export interface AdmissionOptions extends Pick<SessionOptions<unknown>, "id" | "settings" | "now"> {
  readonly lifecycle: Lifecycle;
  /** The session's own end is to be looked after from now on. */
  readonly begun: () => Promise<void>;
  /** Takes note of the caller's topic. */
  readonly ofTopic: (caller: Caller) => void;
  /** Takes up a session that sleeps under its tombstone; returns what to answer where there is no place for it. */
  readonly revive: () => Promise<Refusal | undefined>;
}

const INITIALIZED = "notifications/initialized";

/** True for the message that ends the handshake of a session that nobody has used yet. */
function completesOpening(request: Call | Attach, row: SessionRow): boolean {
  return (
    row.status === "provisional" &&
    !isSuccessor(row) &&
    "payload" in request &&
    request.payload.messages.some((message) => "method" in message && message.method === INITIALIZED)
  );
}

/** True for what answers a session's question: it belongs to what is there, and begins nothing. */
function isAnswer(request: Call | Attach): boolean {
  const [first] = "payload" in request ? request.payload.messages : [];
  return first !== undefined && isResponse(first);
}

/** What is stored of a session whose client has not introduced itself. */
function opened({ version }: Keyed): Partial<SessionRow> {
  return { version, initialize: JSON.stringify(unknownClient(version)), initialized: 1 };
}

/** One for each session and isolate. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { id, settings, now, lifecycle, begun, ofTopic, revive } = options;

  /** The session's row as it was before this request, if the request may use it. */
  const admit = (request: Call | Attach): SessionRow | undefined => {
    const row = lifecycle.admit(request.caller.principal, request.transport);
    if (row !== undefined) {
      // The first word of most clients is a write by itself, which says that the session is in use too.
      if (!completesOpening(request, row)) lifecycle.touch();
      // An alarm that is set to the end of an unused session stays: it finds this one in use, and moves on then.
      if (row.status === "provisional") void begun();
      ofTopic(request.caller);
    }
    return row;
  };

  /** As a session begins that is found by its key, in place of the tombstone that is there. */
  const beginOver = async (keyed: Keyed, fresh: Partial<SessionRow>): Promise<SessionRow | Refusal> => {
    // No successor can be named to a client that keeps no id.
    const undo = lifecycle.revive({ ...opened(keyed), created: now(), successor: null, ...fresh });
    if (typeof undo !== "function") return { kind: "refused", failure: undo };
    return begin(lifecycle.live() as SessionRow);
  };

  const begin = async (row: SessionRow): Promise<SessionRow> => {
    settings.emit("session.created", { session: shortId(id), kind: "streamable" });
    await begun();
    return row;
  };

  /** A session that is found by its key begins with whatever comes first; what its client can do is not known yet. */
  const beginKeyed = async (request: Call | Attach): Promise<SessionRow | Refusal | undefined> => {
    const { keyed, caller } = request;
    if (keyed === undefined || isAnswer(request)) return undefined;
    const isSpent = lifecycle.isSpent(caller.principal);
    if (!isSpent && !lifecycle.isVacant()) return undefined;
    ofTopic(caller);
    if (isSpent) return beginOver(keyed, { standalone: randomStreamId() });
    return begin(lifecycle.open("streamable", { ...opened(keyed), principal: caller.principal ?? null }));
  };

  /** The session's row for a request, once one that sleeps under its tombstone has been woken; or why there is none. */
  const admitOrRevive = async (request: Call | Attach): Promise<SessionRow | Refusal> => {
    const { keyed, caller, transport } = request;
    if (lifecycle.isRevivable(caller.principal, transport)) {
      ofTopic(caller);
      const refusal = await revive();
      if (refusal !== undefined) return refusal;
      // Its server does not take up what its client once said. Found by its key it would be met again each time: it
      // begins anew, and keeps its state.
      const isStuck = lifecycle.isRevivable(caller.principal, transport);
      if (isStuck && keyed !== undefined && !isAnswer(request)) return beginOver(keyed, {});
    }
    return admit(request) ?? lifecycle.gone(caller.principal, true);
  };

  return {
    admit,
    async otherwise(request) {
      return (await beginKeyed(request)) ?? (await admitOrRevive(request));
    },
  };
}
