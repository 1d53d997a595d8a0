/** What is the same for all calls of a session, as it is told of each. @module */
import { shortId } from "../../log-text.ts";
import { isObject } from "../../jsonrpc/messages.ts";
import { markOfText } from "../../names.ts";
import type { ClientInfo } from "../../sessions.ts";
import { type CallOrigin, clientOf } from "../../watch.ts";
import type { SessionRow } from "../store/schema.ts";
import type { Phase } from "./phase.ts";

/** @param phase knows who opens the session, while its row is not there yet */
export function sessionOrigin(
  id: string,
  lifecycle: { live(): SessionRow | undefined },
  phase: Phase,
): () => CallOrigin {
  // Read once for all calls: it is as large as its client made it.
  let read: { readonly initialize: string | null; readonly client: ClientInfo | undefined } | undefined;
  return () => {
    const row = lifecycle.live();
    const principal = row === undefined ? phase.opening()?.caller.principal : (row.principal ?? undefined);
    if (row !== undefined && read?.initialize !== row.initialize) {
      read = { initialize: row.initialize, client: storedClient(row.initialize) };
    }
    const client = row && read?.client;
    return {
      session: shortId(id),
      era: "session",
      transport: row?.kind ?? "streamable",
      version: row?.version,
      principal: principal && markOfText(principal),
      client: client?.name,
      clientVersion: client?.version,
    };
  };
}

function storedClient(initialize: string | null): ClientInfo | undefined {
  const params: unknown = initialize === null ? undefined : JSON.parse(initialize);
  return clientOf(isObject(params) ? params["clientInfo"] : undefined);
}
