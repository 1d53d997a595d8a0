/**
 * The `requestState` of multi-round calls: it travels through the client and comes back to any
 * isolate, so it is sealed, and bound to who called what (2026-07-28, multi-round-trip requests).
 * @module
 */
import { createRequestStateCodec, type RequestStateCodec } from "@modelcontextprotocol/server";
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { ServerContext } from "../session/server/factory.ts";

/** What a `requestState` is sealed with. */
export interface SealOptions {
  /**
   * The deployment's secret, at least 32 bytes, the same in every isolate. Of several the first seals
   * and all open, so that a secret can be replaced without breaking calls that are under way.
   */
  secret: string | Uint8Array | readonly (string | Uint8Array)[];
  /** How long a state is good for. Default 600. */
  ttlSeconds?: number;
}

/** Parameters that differ from round to round. */
const PER_ROUND = new Set(["_meta", "inputResponses", "requestState"]);

/**
 * Seals (HMAC-SHA256, signed and readable: no place for secrets) and opens the states of one server.
 * A state opens only for the principal, the method and the parameters that it was sealed for, and
 * only in time; any other is answered -32602 before the tool runs.
 * @example
 * const states = sealedState<Round>(context, { secret: env.REQUEST_STATE_KEY });
 * const server = new McpServer(info, { requestState: { verify: states.verify } });
 * // in a tool: inputRequired({ inputRequests, requestState: await states.mint({ round: 1 }, ctx) })
 */
export function sealedState<T = unknown>(
  context: ServerContext,
  { secret, ttlSeconds = 600 }: SealOptions,
): RequestStateCodec<T> {
  const secrets = Array.isArray(secret) ? (secret as readonly (string | Uint8Array)[]) : [secret as string];
  const owner = ownerOf(context);
  // Of a task it stays here, until its client has answered, which may take days.
  const lastsSeconds =
    context.era === "task" ? Math.max(ttlSeconds, Math.ceil(context.task.ttlMs / 1000)) : ttlSeconds;
  // Built at first use: most requests carry no state.
  const codecs = secrets.map((key) => {
    let codec: RequestStateCodec<T> | undefined;
    return () =>
      (codec ??= createRequestStateCodec<T>({
        key,
        ttlSeconds: lastsSeconds,
        bind: (ctx) => `${ctx.mcpReq.method}\0${owner}`,
      }));
  });

  return {
    async mint(state, ctx) {
      const [sealing] = codecs;
      if (sealing === undefined) throw new RangeError("secret must hold at least one secret");
      return sealing().mint(state, ctx);
    },
    async verify(sealed, ctx) {
      let refusal: unknown = new RangeError("secret must hold at least one secret");
      for (const codec of codecs) {
        try {
          return await codec().verify(sealed, ctx);
        } catch (error) {
          refusal = error;
        }
      }
      throw refusal;
    },
  };
}

/** Whom and what a state belongs to: a session, or in the stateless era the principal and the call itself. */
function ownerOf(context: ServerContext): string {
  if (context.era === "session") return context.session.id;
  const { message, principal } = context;
  const params: JsonObject = "method" in message ? (message.params ?? {}) : {};
  const call = Object.entries(params).filter(([name]) => !PER_ROUND.has(name));
  return `${JSON.stringify(principal ?? null)}\0${canonical(Object.fromEntries(call))}`;
}

/** JSON with the members of objects in one order: clients need not keep theirs. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
