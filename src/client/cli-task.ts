/**
 * Watches one task (the extension `io.modelcontextprotocol/tasks` of 2026-07-28) to its end, as the command line does:
 * asks at the server's pace, passes its questions on to whoever sits at the terminal, and waits for a server that is
 * being restarted. Whatever ends the watch before the task ends leaves the task alone, and says how to come back to it.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import { delayAfter, resolveBackoff, sleep } from "./backoff.ts";
import { answering, type Ask } from "./cli-questions.ts";
import type { RawAnswer, RawRequests } from "./cli-raw.ts";
import type { ContentBlock, Report } from "./cli-report.ts";
import { type CliClient, type Elicitation, newTaskSession, TASKS } from "./cli-sdk.ts";
import { PATIENT } from "./cli-watch.ts";

/** The watch is over, and the task is not. */
export class TaskLeft extends Error {
  override readonly name = "TaskLeft";
  /** How to watch it again, for people. */
  readonly resume: string;

  constructor(message: string, resume: string, options?: ErrorOptions) {
    super(message, options);
    this.resume = resume;
  }
}

/** A task, and how it is watched. */
export interface TaskOptions {
  readonly url: string;
  readonly taskId: string;
  /** The task as its call was answered with it; undefined where only the id is known. */
  readonly made: JsonObject | undefined;
  /** The tool whose call it is; undefined where only the id is known. */
  readonly tool: string | undefined;
  /** Whether the requests carry headers of the user's own: whoever comes back needs them again. */
  readonly hasHeaders: boolean;
  /** How long the server may be gone, in milliseconds. */
  readonly goneMs: number;
  /** Asks the user; undefined where there is nobody at a terminal. */
  readonly ask: Ask | undefined;
  readonly signal: AbortSignal;
}

/** How long one request may go without an answer, in milliseconds: a server that hangs is asked again. */
const REQUEST_MS = 10_000;
/** JSON-RPC code of a server that has no task of this id (SEP-2663, "Protocol Errors"). */
const NOT_FOUND = -32602;
/** `error.data.reason` of a call whose connection was lost, as this package's own client half says it. */
const INTERRUPTED = "interrupted";

/** @throws {Error} where the server has no tasks */
export function requireTasks(client: CliClient): void {
  const { extensions } = client.getServerCapabilities() ?? {};
  if ((extensions as JsonObject | undefined)?.[TASKS] === undefined)
    throw new Error(`The server has no tasks: it does not offer the extension ${TASKS}`);
}

/**
 * Watches a task until it has ended, and reports its result.
 * @returns false where the tool reports an error of its own
 * @throws {TaskLeft} where the task goes on, and the watch does not
 * @throws {Error} where the task has failed, was cancelled, or is not known
 */
export async function watchTask(
  client: CliClient,
  raw: RawRequests,
  { url, taskId, made, tool, hasHeaders, goneMs, ask, signal, report }: TaskOptions & Reporting,
): Promise<boolean> {
  const since = performance.now();
  const leaving = new AbortController();
  const over = AbortSignal.any([signal, leaving.signal]);
  const answer =
    ask &&
    answering(async (question, until) => {
      const line = await ask(question, until);
      if (line === undefined) leaving.abort(new Error("The task asks its user, and there is no more input"));
      return line;
    }, over);
  const look = reportChanges(report);
  if (made !== undefined) look(made);
  let unknown: Error | undefined;
  const session = newTaskSession(client, {
    canAsk: answer !== undefined,
    async rawDispatch(request) {
      const answered = await persistently(raw, request, { goneMs, signal: over, report }).catch(
        (error: unknown) => {
          // In these words: the session of tasks puts its own in their place.
          leaving.abort(error);
          throw error;
        },
      );
      if (request.method === "tasks/get") {
        if ("result" in answered) look(answered.result);
        else if (answered.error.code === NOT_FOUND) unknown = new Error(answered.error.message);
      }
      return answered;
    },
    async onInputRequest(kind, params) {
      if (kind !== "elicitation")
        leaving.abort(new Error(`The task asks for ${kind}, which is not to be had here`));
      else if (answer === undefined)
        leaving.abort(new Error("The task asks its user, and there is no terminal to ask at"));
      else {
        const given = await answer(params as unknown as Elicitation);
        if (!over.aborted) return given;
      }
      // Neither an interrupt nor an empty room answers anything: the question stays asked.
      return new Promise(() => undefined);
    },
  });
  const left = (error: unknown): TaskLeft => {
    const message = error instanceof Error ? error.message : String(error);
    return new TaskLeft(message, resumeWith(url, taskId, hasHeaders), { cause: error });
  };
  let outcome;
  try {
    const execution = await session.resumeTask(taskId, over);
    ({ outcome } = await execution.settle({ signal: over }));
  } catch (error) {
    throw unknown ?? left(over.aborted ? over.reason : error);
  }
  if (outcome.status === "cancelled") throw new Error("The task was cancelled");
  if (outcome.status === "failed") {
    const { error, task } = outcome;
    // Without the task it is the watch that failed.
    if (task === undefined) throw unknown ?? left(over.aborted ? over.reason : error);
    const data = error.data === undefined ? "" : ` ${JSON.stringify(error.data)}`;
    throw new Error(`The task has failed: ${error.message} (${error.code})${data}`, { cause: error });
  }
  const { content, structuredContent, isError = false } = outcome.result;
  report({
    type: "result",
    tool,
    isError,
    content: content as unknown as readonly ContentBlock[],
    ...(structuredContent !== undefined && { structuredContent: structuredContent as JsonObject }),
    ms: performance.now() - since,
  });
  return !isError;
}

interface Reporting {
  readonly report: (report: Report) => void;
}

/** Reports a task as it is first seen, and then each change of what it says of itself. */
function reportChanges(report: (report: Report) => void): (task: JsonObject) => void {
  let last: string | undefined;
  return ({ taskId, status, statusMessage, createdAt, ttlMs }) => {
    if (last === undefined) {
      const until = typeof ttlMs === "number" ? Date.parse(String(createdAt)) + ttlMs : NaN;
      report({
        type: "task",
        taskId: String(taskId),
        ...(Math.abs(until) <= 864e13 && { keptUntil: new Date(until).toISOString() }),
      });
    }
    const message = typeof statusMessage === "string" ? statusMessage : undefined;
    const now = JSON.stringify([status, message]);
    if (now !== last)
      report({
        type: "task-status",
        taskId: String(taskId),
        status: String(status),
        ...(message !== undefined && { message }),
      });
    last = now;
  };
}

/** Asks until there is an answer. All that is asked of a task may be asked twice. */
async function persistently(
  raw: RawRequests,
  request: { readonly method: string; readonly params?: JsonObject },
  { goneMs, signal, report }: Pick<TaskOptions, "goneMs" | "signal"> & Reporting,
): Promise<RawAnswer> {
  const backoff = resolveBackoff(PATIENT);
  const since = performance.now();
  for (let attempts = 1; ; attempts++) {
    try {
      const answer = await raw.ask(request, { signal, timeoutMs: REQUEST_MS });
      if ("error" in answer && isInterrupted(answer.error.data)) throw new Error(answer.error.message);
      if (attempts > 1) report({ type: "task-reached", attempts, downMs: performance.now() - since });
      return answer;
    } catch (error) {
      if (signal.aborted || !mayPass(error)) throw error;
      const goneFor = performance.now() - since;
      const { message } = error as Error;
      if (goneFor >= goneMs) throw new Error(`No answer within ${goneMs} ms (${message})`, { cause: error });
      if (attempts === 1) report({ type: "task-unreachable", message });
      await sleep(Math.min(delayAfter(attempts - 1, backoff), goneMs - goneFor), signal);
    }
  }
}

function isInterrupted(data: unknown): boolean {
  return (data as JsonObject | undefined)?.["reason"] === INTERRUPTED;
}

/** True for what a restart explains: no answer at all, or that of a proxy, or of a server that is not ready. */
function mayPass(error: unknown): boolean {
  const { status } = error as { status?: unknown };
  return typeof status !== "number" || status === 408 || status === 429 || (status >= 500 && status !== 501);
}

/** The line that leads back to a task. */
function resumeWith(url: string, taskId: string, hasHeaders: boolean): string {
  const headers = hasHeaders ? " (with the same --header)" : "";
  return `The task is left as it is. To watch it again: npx holdfast connect ${quoted(url)} --task-id=${quoted(taskId)}${headers}`;
}

/** A word as a POSIX shell takes it: the server has chosen it, and the user will paste it. */
function quoted(word: string): string {
  return /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
