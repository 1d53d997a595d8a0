/**
 * Scopes that single requests need: an SDK v2 server hands over, as it is connected, a resolver that knows what its
 * tools, prompts and resources ask of a token. It is asked before anything of a POST is dispatched, as the SDK's own
 * transports do, so that a client can be answered 403 and ask its user for more (MCP 2025-11-25 and later,
 * authorization, "Scope Challenge Handling").
 * @module
 */
import { type Challenge, formatChallenge, metadataUrlOf } from "../../challenge.ts";
import type { EventSink } from "../../events.ts";
import { isThenable } from "../../guard.ts";
import { hookFailed, hookInTime, HookLate } from "../../hooks.ts";
import * as failures from "../../jsonrpc/failures.ts";
import type { JsonRpcRequest } from "../../jsonrpc/messages.ts";

/** Says which scopes a request needs and the caller lacks, or nothing where none. SDK v2's `ScopeChallengeHandler`. */
export type ScopeResolver = (context: {
  readonly request: JsonRpcRequest;
  readonly authInfo?: unknown;
}) => unknown;

/** The answer to requests that may not run, or nothing. A promise only where the server's resolver gives one. */
export type ScopeRefusal = failures.Failure | undefined | Promise<failures.Failure | undefined>;

/** RFC 6749 section 3.3, scope-token; RFC 6750 section 3, error_description. */
const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]+$/;
const DESCRIPTION = /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/;

/** How a resolver is asked. */
export interface Asking {
  readonly resolve: ScopeResolver;
  readonly emit: EventSink;
  /** How long it may take over one request, in milliseconds. */
  readonly limitMs: number;
}

/** Returns what the first of the requests lacks for which something is missing; an error where the resolver fails. */
export type Challenger = (requests: readonly JsonRpcRequest[], authInfo: unknown) => ScopeRefusal;

/** Asks this resolver about requests. */
export function challengeBy({ resolve, emit, limitMs }: Asking): Challenger {
  const failed = (error: unknown): failures.Failure => {
    hookFailed(emit, "scopeChallenge", error);
    return error instanceof HookLate ? failures.credentialsUnjudged() : failures.internalError;
  };
  const from = (requests: readonly JsonRpcRequest[], authInfo: unknown, start: number): ScopeRefusal => {
    for (let n = start; n < requests.length; n++) {
      const request = requests[n] as JsonRpcRequest;
      const asked = resolve(authInfo === undefined ? { request } : { request, authInfo });
      if (asked === undefined) continue;
      if (!isThenable(asked)) return refusal(asked, authInfo);
      return Promise.resolve(hookInTime("scopeChallenge", asked, limitMs))
        .then((late) => (late === undefined ? from(requests, authInfo, n + 1) : refusal(late, authInfo)))
        .catch(failed);
    }
    return undefined;
  };
  return (requests, authInfo) => {
    try {
      return from(requests, authInfo, 0);
    } catch (error) {
      return failed(error);
    }
  };
}

/** @throws {TypeError} for a challenge that no header can carry: what it was to guard does not run */
function refusal(asked: unknown, authInfo: unknown): failures.Failure {
  const { scopes, errorDescription: description = "Insufficient scope" } = (asked ?? {}) as {
    scopes?: unknown;
    errorDescription?: unknown;
  };
  const isFit = (scope: unknown): scope is string => typeof scope === "string" && SCOPE.test(scope);
  if (!Array.isArray(scopes) || scopes.length === 0 || !scopes.every(isFit)) {
    throw new TypeError("a scope challenge must name at least one OAuth scope");
  }
  if (typeof description !== "string" || !DESCRIPTION.test(description)) {
    throw new TypeError("a scope challenge's errorDescription must be plain text");
  }
  const challenge: Challenge = {
    error: "insufficient_scope",
    description,
    scopes,
    metadataUrl: metadataUrlOf(authInfo),
  };
  return failures.insufficientScope(formatChallenge(challenge));
}
