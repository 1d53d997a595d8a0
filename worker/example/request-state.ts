/**
 * The `requestState` of multi-round calls (2026-07-28): sealed, because it comes back through the client, and free of
 * server memory, because the next round may reach another isolate.
 * @module
 */
import { createRequestStateCodec } from "@modelcontextprotocol/server";
import type { RequestStateCodec } from "@modelcontextprotocol/server";

/** What one round of a call hands to the next. */
export interface RoundState {
  /** The tool that sealed it: a state must not be spent on another tool. */
  readonly tool: string;
  readonly round: number;
  /** What the rounds before have learnt. */
  readonly name?: string;
}

let isolateKey: Uint8Array | undefined;

/**
 * Without a key of the operator's the states are good in this isolate only, which is enough for one process and for
 * tests; a deployment on many isolates sets the secret `REQUEST_STATE_KEY` (32 bytes or more).
 */
function keyFrom(env: unknown): Uint8Array | string {
  if (typeof env === "object" && env !== null && "REQUEST_STATE_KEY" in env) {
    if (typeof env.REQUEST_STATE_KEY === "string" && env.REQUEST_STATE_KEY !== "")
      return env.REQUEST_STATE_KEY;
  }
  return (isolateKey ??= crypto.getRandomValues(new Uint8Array(32)));
}

/** Seals and opens round states, bound to the method and to the caller's client id. */
export function createRoundStates(env: unknown): RequestStateCodec<RoundState> {
  let codec: RequestStateCodec<RoundState> | undefined;
  // Built at first use: most requests carry no state, and a server may be built where Workers forbid randomness.
  const open = (): RequestStateCodec<RoundState> =>
    (codec ??= createRequestStateCodec<RoundState>({
      key: keyFrom(env),
      bind: (ctx) => `${ctx.mcpReq.method}\0${ctx.http?.authInfo?.clientId ?? ""}`,
    }));
  return {
    mint: (state, ctx) => open().mint(state, ctx),
    verify: (sealed, ctx) => open().verify(sealed, ctx),
  };
}
