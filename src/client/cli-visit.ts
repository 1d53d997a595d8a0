/**
 * What the command line does at a server: connect, list the tools or call one, watch.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import { toolArguments } from "./cli-args.ts";
import { allTools, callTool, type Patience, patience } from "./cli-call.ts";
import { answering, type Ask } from "./cli-questions.ts";
import { type RawRequests, rawRequests } from "./cli-raw.ts";
import type { Report } from "./cli-report.ts";
import { type CliClient, newClient, TRANSPORTS } from "./cli-sdk.ts";
import { requireTasks, watchTask } from "./cli-task.ts";
import { PATIENT, watchChanges, watchSession } from "./cli-watch.ts";
import { connect, type Connection, type ConnectOptions, type Era } from "./connect.ts";
import { ConnectError } from "./connect-error.ts";

/** What the command line is to do at a server. */
export interface VisitOptions {
  readonly url: string;
  readonly tool: string | undefined;
  /** Arguments of the tool, as JSON. */
  readonly args: JsonObject;
  /** More of them, each as a name and a word: the tool's input schema says what the word stands for. */
  readonly toolArgs: readonly (readonly [string, string])[];
  /** Whether the call may become a task, which is watched then. */
  readonly asTask: boolean;
  /** A task to watch, in place of a call. */
  readonly taskId: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** The only era to speak; undefined for the one that shows most. */
  readonly era: Era | undefined;
  /** Limit for connecting, in milliseconds. */
  readonly timeoutMs: number;
  /** How long a call may go without result or progress, and the server of a task without an answer, in milliseconds. */
  readonly callTimeoutMs: number;
  readonly watch: boolean;
  /** Pause between two pings while watching, in milliseconds. */
  readonly pingMs: number;
  /** Asks the user; undefined where there is nobody at a terminal. */
  readonly ask: Ask | undefined;
}

/**
 * Does all of it, in order. Rejects with what went wrong; the connection is closed in any case.
 * @param signal ends a watch, and breaks off whatever else is going on
 * @returns false where the tool reported an error of its own
 */
export async function visit(
  options: VisitOptions,
  report: (report: Report) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { url, watch, ask, tool, asTask, taskId } = options;
  let limit: Patience | undefined;
  const answer = ask && answering(ask, signal);
  const client = newClient(
    answer && ((asked) => (limit === undefined ? answer(asked) : limit.during(answer(asked)))),
    asTask || taskId !== undefined,
  );
  client.fallbackNotificationHandler = ({ method, params }) => {
    report({ type: "notification", method, params });
    return Promise.resolve();
  };
  report({ type: "connecting", url });
  const since = performance.now();
  const connection = await reach(options, {
    client,
    transports: TRANSPORTS,
    signal,
    timeoutMs: options.timeoutMs,
    transportOptions: { requestInit: { headers: options.headers } },
    onEvent: report,
    ...(watch && { retry: PATIENT }),
  });
  let isDone = true;
  const watched = (id: string, raw: RawRequests, made?: JsonObject): Promise<boolean> =>
    watchTask(client, raw, {
      url,
      taskId: id,
      made,
      tool,
      hasHeaders: Object.keys(options.headers).length > 0,
      goneMs: options.callTimeoutMs,
      ask,
      signal,
      report,
    });
  try {
    const capabilities = client.getServerCapabilities() ?? {};
    const { era, protocolVersion, sessionId } = connection;
    const ms = performance.now() - since;
    const server = client.getServerVersion();
    report({ type: "connected", url, era, protocolVersion, sessionId, server, capabilities, ms });
    const isListed = "tools" in capabilities && taskId === undefined;
    const tools = isListed ? await orAborted(allTools(client), signal) : [];
    if (isListed) report({ type: "tools", tools });
    if (taskId !== undefined) isDone = await watched(taskId, tasksOf(client));
    else if (tool !== undefined) {
      const raw = asTask ? tasksOf(client) : undefined;
      const schema = tools.find(({ name }) => name === tool)?.inputSchema;
      const args = { ...options.args, ...toolArguments(options.toolArgs, schema) };
      limit = patience(options.callTimeoutMs);
      const call = callTool(client, { name: tool, args, limit }, report);
      const answered = raw === undefined ? call : Promise.race([raw.task, call]);
      const result = await orAborted(answered, AbortSignal.any([signal, limit.signal]));
      limit.stop();
      if (raw !== undefined && typeof result === "object") {
        isDone = await watched(String(result["taskId"]), raw, result);
      } else {
        isDone = result === true;
        if (raw !== undefined) report({ type: "no-task" });
      }
    }
    if (watch)
      await (connection.era === "modern"
        ? watchChanges(client, report, signal)
        : watchSession(connection, { pingMs: options.pingMs, signal }, report));
  } finally {
    limit?.stop();
    await connection.close();
    report({ type: "closed" });
  }
  return isDone;
}

/** What tasks need of the connection. */
function tasksOf(client: CliClient): RawRequests {
  requireTasks(client);
  if (client.transport === undefined) throw new Error("The connection was lost");
  return rawRequests(client.transport);
}

/** Failures that another era would meet alike. */
const FINAL = new Set(["network", "timeout", "aborted", "unauthorized"]);

/**
 * Sessions come first, the stateless era where there are none: what a tool keeps from call to call, a
 * stream that is resumed, a call that outlives its connection can be seen in sessions alone.
 */
async function reach(
  { url, era, timeoutMs }: VisitOptions,
  options: ConnectOptions<CliClient>,
): Promise<Connection<CliClient>> {
  if (era !== undefined) return connect(url, { ...options, eras: [era] });
  const since = performance.now();
  try {
    return await connect(url, { ...options, eras: ["session", "legacy"] });
  } catch (first) {
    const left = timeoutMs - (performance.now() - since);
    if (!(first instanceof ConnectError) || FINAL.has(first.reason) || left <= 0) throw first;
    return connect(url, { ...options, eras: ["modern"], timeoutMs: left }).catch(() => {
      throw first;
    });
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
