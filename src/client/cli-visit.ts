/**
 * What the command line does at a server: connect, list the tools, call one, watch.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import { delayAfter, LONGEST_MS, resolveBackoff, sleep } from "./backoff.ts";
import { connect, type Connection, type Era } from "./connect.ts";
import type { ContentBlock, Report, ToolInfo } from "./cli-report.ts";
import { type CliClient, loadSdk } from "./cli-sdk.ts";
import { isModernClient } from "./sdk.ts";

/** What the command line is to do at a server. */
export interface VisitOptions {
  readonly url: string;
  readonly tool: string | undefined;
  readonly args: JsonObject;
  readonly headers: Readonly<Record<string, string>>;
  readonly eras: readonly Era[] | undefined;
  /** Limit for connecting, in milliseconds. */
  readonly timeoutMs: number;
  /** Limit for the call of the tool, in milliseconds. */
  readonly callTimeoutMs: number;
  readonly watch: boolean;
  /** Pause between two pings while watching, in milliseconds. */
  readonly pingMs: number;
}

/** A watch goes on for as long as it takes. */
const PATIENT = { attempts: LONGEST_MS, initialDelayMs: 500, maxDelayMs: 5000 };

/**
 * Does all of it, in order. Rejects with what went wrong; the connection is closed in any case.
 * @param signal ends a watch, and breaks off whatever else is going on
 */
export async function visit(
  options: VisitOptions,
  report: (report: Report) => void,
  signal: AbortSignal,
): Promise<void> {
  const { url, watch } = options;
  const { client, transports } = await loadSdk();
  client.fallbackNotificationHandler = ({ method, params }) => {
    report({ type: "notification", method, params });
    return Promise.resolve();
  };
  report({ type: "connecting", url });
  const since = performance.now();
  const connection = await connect(url, {
    client,
    transports,
    signal,
    timeoutMs: options.timeoutMs,
    ...(options.eras && { eras: options.eras }),
    transportOptions: { requestInit: { headers: options.headers } },
    onEvent: report,
    ...(watch && { retry: PATIENT }),
  });
  try {
    const { era, protocolVersion, sessionId } = connection;
    const server = client.getServerVersion();
    const capabilities = client.getServerCapabilities() ?? {};
    report({
      type: "connected",
      url,
      era,
      protocolVersion,
      sessionId,
      server,
      capabilities,
      ms: performance.now() - since,
    });
    if ("tools" in capabilities) report({ type: "tools", tools: await orAborted(allTools(client), signal) });
    if (options.tool !== undefined)
      await orAborted(callTool(client, { ...options, tool: options.tool }, report), signal);
    if (watch)
      await (connection.era === "modern"
        ? watchChanges(client, report, signal)
        : watchSession(connection, { pingMs: options.pingMs, signal }, report));
  } finally {
    await connection.close();
    report({ type: "closed" });
  }
}

async function allTools(client: CliClient): Promise<ToolInfo[]> {
  const tools: ToolInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listTools(cursor === undefined ? undefined : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

async function callTool(
  client: CliClient,
  options: VisitOptions & { readonly tool: string },
  report: (report: Report) => void,
): Promise<void> {
  const { tool: name } = options;
  const limits = {
    timeout: options.callTimeoutMs,
    onprogress: (progress: { progress: number; total?: number; message?: string }) =>
      report({ type: "progress", ...progress }),
  };
  const since = performance.now();
  const call = { name, arguments: options.args };
  // SDK v1 takes the result's schema in between.
  const answer = await (isModernClient(client)
    ? client.callTool(call, limits)
    : client.callTool(call, undefined, limits));
  const { content = [], isError = false } = answer as { content?: ContentBlock[]; isError?: boolean };
  report({ type: "result", tool: name, isError, content, ms: performance.now() - since });
}

/** Keeps a session, and asks now and then whether it is there: a stream alone may be dead and not know it. */
async function watchSession(
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
async function watchChanges(
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

/** The promise, or a rejection with the signal's reason. What is left to be done is ended by `close`. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
