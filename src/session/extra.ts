/** What the server is told with each inbound message. @module */
import type { Caller } from "../host.ts";
import { hasPriming } from "../jsonrpc/versions.ts";
import type { Exchange } from "./exchange.ts";
import type { SessionRow } from "./schema.ts";
import type { Stream } from "./stream.ts";
import type { MessageExtra } from "./transport.ts";

/**
 * `requestInfo` is SDK v1's, `request` v2's. Streams can be closed by the server only where clients
 * know how to poll for the rest (2025-11-25).
 */
export function createExtra(
  caller: Caller,
  row?: SessionRow,
  exchange?: Exchange,
  standalone?: Stream,
): MessageExtra {
  let request: Request | undefined;
  let url: URL | undefined;
  const polls = row?.kind === "streamable" && hasPriming(row.version);
  return {
    // On demand: most tools never look at them.
    requestInfo: {
      get headers() {
        return caller.headers;
      },
      get url() {
        return (url ??= new URL(caller.url));
      },
    },
    get request() {
      return (request ??=
        caller.original?.() ?? new Request(caller.url, { method: "POST", headers: caller.headers }));
    },
    ...(caller.authInfo === undefined ? {} : { authInfo: caller.authInfo }),
    ...(polls && exchange !== undefined ? { closeSSEStream: () => exchange.close() } : {}),
    ...(polls && standalone !== undefined
      ? { closeStandaloneSSEStream: () => standalone.end("closed") }
      : {}),
  };
}
