/**
 * Stays at a server, and reports what becomes of the connection.
 * @module
 */
import { delayAfter, LONGEST_MS, resolveBackoff, sleep } from "./backoff.ts";
import type { Report } from "./cli-report.ts";
import type { CliClient } from "./cli-sdk.ts";
import type { Connection } from "./connect.ts";

/** A watch goes on for as long as it takes. */
export const PATIENT: { attempts: number; initialDelayMs: number; maxDelayMs: number } = {
  attempts: LONGEST_MS,
  initialDelayMs: 500,
  maxDelayMs: 5000,
};

/** Keeps a session, and asks now and then whether it is there: a stream alone may be dead and not know it. */
export async function watchSession(
  { client }: Connection<CliClient>,
  { pingMs, signal }: { readonly pingMs: number; readonly signal: AbortSignal },
  report: (report: Report) => void,
): Promise<void> {
  report({ type: "watching" });
  for (;;) {
    await sleep(pingMs, signal);
    if (signal.aborted) return;
    await client.ping().catch((error: unknown) => {
      if (!signal.aborted) report({ type: "ping-failed", message: String((error as Error).message) });
    });
  }
}

/** The stateless era has no session to keep: what can be watched is a subscription, listened to anew when it ends. */
export async function watchChanges(
  client: CliClient,
  report: (report: Report) => void,
  signal: AbortSignal,
): Promise<void> {
  const backoff = resolveBackoff(PATIENT);
  const filter = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
  let subscription = await client.listen?.(filter);
  if (subscription === undefined) return report({ type: "nothing-to-watch" });
  report({ type: "watching" });
  for (;;) {
    const open = subscription;
    const leave = (): void => void open.close();
    signal.addEventListener("abort", leave);
    const how = await open.closed;
    signal.removeEventListener("abort", leave);
    if (signal.aborted) return;
    if (how === "graceful") return report({ type: "nothing-to-watch" });
    report({ type: "dropped", stream: "standalone", cause: undefined });
    const since = performance.now();
    let next: typeof subscription | undefined;
    for (let attempts = 1; next === undefined; attempts++) {
      await sleep(delayAfter(attempts - 1, backoff), signal);
      if (signal.aborted) return;
      next = await client.listen?.(filter).catch(() => undefined);
      if (next === undefined) continue;
      const downMs = performance.now() - since;
      report({ type: "resumed", stream: "standalone", attempts, downMs, eventId: undefined });
      subscription = next;
    }
  }
}
