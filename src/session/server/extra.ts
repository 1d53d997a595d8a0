/** What the server is told with each inbound message. @module */
import type { Caller } from "../../host.ts";
import { hasPriming } from "../../jsonrpc/versions.ts";
import type { Exchange } from "./reply.ts";
import type { SessionRow } from "../store/schema.ts";
import type { MessageExtra } from "./transport.ts";

/** True where the server may close streams: only clients of 2025-11-25 and later know how to poll for the rest. */
export function polls({ kind, version }: SessionRow): boolean {
  return kind === "streamable" && hasPriming(version);
}

/**
 * `requestInfo` is SDK v1's, `request` v2's. The exchange, and what ends the standalone stream, are given where
 * the server may close these.
 */
export function createExtra(caller: Caller, exchange?: Exchange, endStandalone?: () => void): MessageExtra {
  return new Extra(caller, exchange === undefined ? undefined : () => exchange.close(), endStandalone);
}

// Classes, for getters that belong to no single call (see `Caller`): most tools look at none of them. SDK v2 looks at
// `request` for each, to see whether there is HTTP, and keeps what it gets: on workerd a Request is made for every call
// (up to 4 % of one). Nothing can stand in for it until a tool looks: workerd's `fetch` and `new Request` refuse what is
// no Request of its own, and so do the getters of `Request.prototype`, which libraries call.

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
