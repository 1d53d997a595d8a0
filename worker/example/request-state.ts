/**
 * The `requestState` of multi-round calls (2026-07-28): what one round hands to the next, sealed with the
 * deployment's secret.
 * @module
 */
import type { RequestStateCodec } from "@modelcontextprotocol/server";
import { sealedState } from "../../src/modern/index.ts";
import type { ServerContext } from "../../src/session/server/factory.ts";

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

/** Seals and opens round states. */
export function createRoundStates(context: ServerContext): RequestStateCodec<RoundState> {
  let codec: RequestStateCodec<RoundState> | undefined;
  // Built at first use: most requests carry no state, and a server may be built where Workers forbid randomness.
  const open = (): RequestStateCodec<RoundState> =>
    (codec ??= sealedState<RoundState>(context, { secret: keyFrom(context.env) }));
  return {
    mint: (state, ctx) => open().mint(state, ctx),
    verify: (sealed, ctx) => open().verify(sealed, ctx),
  };
}
