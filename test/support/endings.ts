/** How connections ended, as the hook `onDisconnect` of the test server printed it. @module */
import type { Served } from "./subject.ts";

export type Ending = ReturnType<Served["events"]>[number];

/** What the hook was told of a session, in order. */
export function endingsOf(server: Served, session: { readonly id: string }): Ending[] {
  return server
    .events()
    .filter(({ type, sessionId }) => type === "test.disconnect" && sessionId === session.id);
}

/** Why the session's connections ended, in order. */
export function reasonsOf(server: Served, session: { readonly id: string }): string[] {
  return endingsOf(server, session).map(({ reason }) => String(reason));
}
