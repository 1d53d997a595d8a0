/** What the server is told with each inbound message. @module */
import type { Caller } from "../../host.ts";
import { hasPriming } from "../../jsonrpc/versions.ts";
import type { Exchange } from "./reply.ts";
import type { SessionRow } from "../store/schema.ts";
import type { MessageExtra } from "./transport.ts";

/**
 * `requestInfo` is SDK v1's, `request` v2's. Streams can be closed by the server only where clients
 * know how to poll for the rest (2025-11-25).
 */
export function createExtra(
  caller: Caller,
  row?: SessionRow,
  exchange?: Exchange,
  endStandalone?: () => void,
): MessageExtra {
  const polls = row?.kind === "streamable" && hasPriming(row.version);
  return new Extra(
    caller,
    polls && exchange !== undefined ? () => exchange.close() : undefined,
    polls ? endStandalone : undefined,
  );
}

// Classes, for getters that belong to no single call (see `Caller`): most tools look at none of them.

class Extra implements MessageExtra {
  readonly requestInfo: RequestInfo;
  readonly authInfo: unknown;
  readonly closeSSEStream: (() => void) | undefined;
  readonly closeStandaloneSSEStream: (() => void) | undefined;
  readonly #caller: Caller;
  #request: Request | undefined;

  constructor(
    caller: Caller,
    closeSSEStream: (() => void) | undefined,
    closeStandaloneSSEStream: (() => void) | undefined,
  ) {
    this.requestInfo = new RequestInfo(caller);
    this.authInfo = caller.authInfo;
    this.closeSSEStream = closeSSEStream;
    this.closeStandaloneSSEStream = closeStandaloneSSEStream;
    this.#caller = caller;
  }

  get request(): Request {
    const { original, url, headers } = this.#caller;
    return (this.#request ??= original?.() ?? new Request(url, { method: "POST", headers: headers() }));
  }
}

class RequestInfo {
  readonly #caller: Caller;
  #url: URL | undefined;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#caller.headers();
  }

  get url(): URL {
    return (this.#url ??= new URL(this.#caller.url));
  }

  /** For tools that print it. */
  toJSON(): object {
    return { headers: this.headers, url: this.url };
  }
}
