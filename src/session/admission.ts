/**
 * Which requests may use the session, and what one finds whose session is not there: begun by its client's key, taken
 * up again after its time was up, or gone.
 * @module
 */
import { shortId } from "../log-text.ts";
import type { Attach, Call, Keyed, Refusal } from "../host.ts";
import { isResponse, unknownClient } from "../jsonrpc/messages.ts";
import { randomStreamId } from "../sse/event-id.ts";
import type { Core } from "./core.ts";
import { isSuccessor } from "./lifecycle.ts";
import type { SessionRow } from "./store/schema.ts";

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

/** What admission asks of the rest of the session. */
export interface Admitting {
  readonly core: Core;
  /** The session's own end is to be looked after from now on. */
  begun(): Promise<void>;
  /** Takes up a session that sleeps under its tombstone; returns what to answer where there is no place for it. */
  revive(): Promise<Refusal | undefined>;
}

/** The session's row as it was before this request, if the request may use it; says that the session is in use. */
export function admit(to: Admitting, request: Call | Attach): SessionRow | undefined {
  const { core } = to;
  const row = core.lifecycle.admit(request.caller.principal, request.transport);
  if (row !== undefined) {
    // The first word of most clients is a write by itself, which says that the session is in use too.
    if (!completesOpening(request, row)) core.lifecycle.touch();
    // An alarm that is set to the end of an unused session stays: it finds this one in use, and moves on then.
    if (row.status === "provisional") void to.begun();
    core.ofTopic(request.caller);
  }
  return row;
}

/** The row of one that was not admitted, once its session has begun or been revived; or why there is none. */
export async function admitOtherwise(to: Admitting, request: Call | Attach): Promise<SessionRow | Refusal> {
  return (await beginKeyed(to, request)) ?? (await admitOrRevive(to, request));
}

/** A session that is found by its key begins with whatever comes first; what its client can do is not known yet. */
async function beginKeyed(to: Admitting, request: Call | Attach): Promise<SessionRow | Refusal | undefined> {
  const { keyed, caller } = request;
  const { lifecycle } = to.core;
  if (keyed === undefined || isAnswer(request)) return undefined;
  const isSpent = lifecycle.isSpent(caller.principal);
  if (!isSpent && !lifecycle.isVacant()) return undefined;
  to.core.ofTopic(caller);
  if (isSpent) return beginOver(to, keyed, { standalone: randomStreamId() });
  return begin(to, lifecycle.open("streamable", { ...opened(keyed), principal: caller.principal ?? null }));
}

/** The session's row for a request, once one that sleeps under its tombstone has been woken; or why there is none. */
async function admitOrRevive(to: Admitting, request: Call | Attach): Promise<SessionRow | Refusal> {
  const { keyed, caller, transport } = request;
  const { lifecycle } = to.core;
  if (lifecycle.isRevivable(caller.principal, transport)) {
    to.core.ofTopic(caller);
    const refusal = await to.revive();
    if (refusal !== undefined) return refusal;
    // Its server does not take up what its client once said. Found by its key it would be met again each time: it
    // begins anew, and keeps its state.
    const isStuck = lifecycle.isRevivable(caller.principal, transport);
    if (isStuck && keyed !== undefined && !isAnswer(request)) return beginOver(to, keyed, {});
  }
  return admit(to, request) ?? lifecycle.gone(caller.principal, true);
}

/** As a session begins that is found by its key, in place of the tombstone that is there. */
async function beginOver(
  to: Admitting,
  keyed: Keyed,
  fresh: Partial<SessionRow>,
): Promise<SessionRow | Refusal> {
  const { lifecycle, options } = to.core;
  // No successor can be named to a client that keeps no id.
  const undo = lifecycle.revive({ ...opened(keyed), created: options.now(), successor: null, ...fresh });
  if (typeof undo !== "function") return { kind: "refused", failure: undo };
  return begin(to, lifecycle.live() as SessionRow);
}

async function begin(to: Admitting, row: SessionRow): Promise<SessionRow> {
  const { id, settings } = to.core.options;
  settings.emit("session.created", { session: shortId(id), kind: "streamable" });
  await to.begun();
  return row;
}
