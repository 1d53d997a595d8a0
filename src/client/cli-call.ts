/**
 * One call of a tool, as the command line makes it.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import { LONGEST_MS } from "./backoff.ts";
import type { ContentBlock, Report, ToolInfo } from "./cli-report.ts";
import type { CliClient } from "./cli-sdk.ts";

/** A limit that only silence uses up. */
export interface Patience {
  readonly signal: AbortSignal;
  /** Something was heard: the limit begins anew. */
  heard(): void;
  /** Waits for a person, whose time does not count. */
  during<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

/** @param ms how long nothing may be heard; the signal is aborted then */
export function patience(ms: number): Patience {
  const over = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting = 0;
  const heard = (): void => {
    clearTimeout(timer);
    if (waiting > 0) return;
    timer = setTimeout(() => over.abort(new Error(`Neither result nor progress within ${ms} ms`)), ms);
  };
  heard();
  return {
    signal: over.signal,
    heard,
    async during(work) {
      waiting++;
      clearTimeout(timer);
      try {
        return await work;
      } finally {
        waiting--;
        if (!over.signal.aborted) heard();
      }
    },
    stop: () => {
      waiting = Infinity;
      clearTimeout(timer);
    },
  };
}

/** What to call, and with what. */
export interface CallOptions {
  readonly name: string;
  readonly args: JsonObject;
  readonly limit: Patience;
}

/**
 * Calls, and reports progress and the result.
 * @returns false where the tool reports an error of its own
 */
export async function callTool(
  client: CliClient,
  { name, args, limit }: CallOptions,
  report: (report: Report) => void,
): Promise<boolean> {
  const onprogress = (progress: { progress: number; total?: number; message?: string }): void => {
    limit.heard();
    report({ type: "progress", ...progress });
  };
  const since = performance.now();
  const answer = await client.callTool(
    { name, arguments: args },
    // The SDK's own limit knows neither progress over several rounds nor a person who is asked.
    { timeout: LONGEST_MS, signal: limit.signal, onprogress },
  );
  const { content = [], structuredContent, isError = false } = answer as ToolResult;
  report({
    type: "result",
    tool: name,
    isError,
    content,
    ...(structuredContent !== undefined && { structuredContent }),
    ms: performance.now() - since,
  });
  return !isError;
}

interface ToolResult {
  readonly content?: readonly ContentBlock[];
  readonly structuredContent?: JsonObject;
  readonly isError?: boolean;
}

/** All of a server's tools, page by page. */
export async function allTools(client: CliClient): Promise<ToolInfo[]> {
  const tools: ToolInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listTools(cursor === undefined ? undefined : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}
