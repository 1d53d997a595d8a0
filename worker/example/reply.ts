/**
 * What nearly every tool here needs: an answer, a failure, the words of a model, a pause between two steps.
 * @module
 */
import type {
  CallToolResult,
  CreateMessageResult,
  CreateMessageResultWithTools,
} from "@modelcontextprotocol/server";

/** A tool result of one text block. */
export function text(value: string): CallToolResult {
  return { content: [{ type: "text", text: value }] };
}

/** A tool result that tells the model what went wrong and what to do instead. */
export function failure(value: string): CallToolResult {
  return { ...text(value), isError: true };
}

/** The words in what a client's LLM said; other content by its type. */
export function wordsOf({ content }: CreateMessageResult | CreateMessageResultWithTools): string {
  const blocks = Array.isArray(content) ? content : [content];
  return blocks.map((block) => (block.type === "text" ? block.text : `[${block.type}]`)).join("");
}

/** Waits `ms`, or until `signal` aborts. Resolves either way: the caller decides what an abort means. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0 || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
