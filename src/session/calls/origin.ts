/** What is the same for all calls of a session, as it is told of each. @module */
import { shortId } from "../../events.ts";
import { isObject } from "../../jsonrpc/messages.ts";
import { markOfText } from "../../names.ts";
import type { ClientInfo } from "../../sessions.ts";
import { type CallOrigin, clientOf } from "../../watch.ts";
import type { SessionRow } from "../store/schema.ts";

/**
 * @param live the session's row; undefined while it is being opened
 * @param opener the principal of whoever opens it
 */
export function sessionOrigin(
  id: string,
  live: () => SessionRow | undefined,
  opener: () => string | undefined,
): () => CallOrigin {
  const session = shortId(id);
  // Read once for all calls: it is as large as its client made it.
  let read: { readonly initialize: string | null; readonly client: ClientInfo | undefined } | undefined;
  const clientIn = (initialize: string | null): ClientInfo | undefined => {
    if (read?.initialize !== initialize) {
      const params: unknown = initialize === null ? undefined : JSON.parse(initialize);
      read = { initialize, client: clientOf(isObject(params) ? params["clientInfo"] : undefined) };
    }
    return read?.client;
  };
  return () => {
    const row = live();
    const principal = row === undefined ? opener() : (row.principal ?? undefined);
    const client = row && clientIn(row.initialize);
    return {
      session,
      era: "session",
      transport: row?.kind ?? "streamable",
      version: row?.version,
      principal: principal && markOfText(principal),
      client: client?.name,
      clientVersion: client?.version,
    };
  };
}
