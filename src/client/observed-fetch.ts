/**
 * Watches the HTTP underneath an SDK transport. Each major version of the SDK, and each transport, has
 * its own errors; what the server answered is the same for all.
 * @module
 */
import { ConnectError, type ConnectFailure } from "./connect-error.ts";
import { type FetchLike, messagesIn } from "./wire.ts";

/** A `fetch` for an SDK transport, and what it has seen. */
export interface HttpObserver {
  readonly fetch: FetchLike;
  /** Status of the last answer to an MCP request; undefined before the first, and where there was none. */
  readonly status: number | undefined;
  /** Forgets what was seen. */
  reset(): void;
  /** Names the failure that an SDK reports as `error`. */
  explain(url: string, error: unknown): ConnectError;
}

/**
 * @param onStreamEnd called when the GET stream of HTTP+SSE ends, or when a message is refused with 404:
 *   in that era a session is its stream
 */
export function observeFetch(fetch: FetchLike, onStreamEnd: (cause: unknown) => void): HttpObserver {
  let answer: Response | undefined;
  let failure: unknown;

  const observer: HttpObserver = {
    get status() {
      return answer?.status;
    },
    reset() {
      answer = failure = undefined;
    },
    async fetch(input, init) {
      const headers = new Headers(init?.headers);
      const isPost = messagesIn(init?.body).length > 0;
      const isStream = !isPost && (headers.get("accept") ?? "").includes("text/event-stream");
      // Whatever else is fetched, metadata of authorization above all, decides nothing here.
      if (!isPost && !isStream) return fetch(input, init);
      observer.reset();
      try {
        answer = await fetch(input, init);
      } catch (error) {
        failure = error;
        throw error;
      }
      if (headers.has("mcp-session-id")) return answer;
      if (isStream && answer.ok && answer.body !== null) return watched(answer, answer.body, onStreamEnd);
      if (isPost && answer.status === 404) onStreamEnd(new Error("HTTP 404"));
      return answer;
    },
    explain(url, error) {
      const { status, headers, ok = false } = answer ?? {};
      const type = headers?.get("content-type") ?? undefined;
      const fail = (reason: ConnectFailure, what: string): ConnectError =>
        new ConnectError(url, what, { reason, status, cause: failure ?? error });
      if (answer === undefined) return fail("network", `no answer (${messageOf(failure ?? error)})`);
      if (status === 401 || status === 403)
        return fail("unauthorized", `it asks for other credentials (HTTP ${status})`);
      if (!ok) return fail("http", `HTTP ${status}`);
      if (!/^(application\/json|text\/event-stream)/i.test(type ?? "")) {
        return fail(
          "content-type",
          `it is not an MCP endpoint: its answer is ${type ?? "of no type"} (HTTP ${status})`,
        );
      }
      const { code, data } = error as { code?: unknown; data?: { reason?: unknown } };
      const wasCut = data?.reason === "interrupted" || typeof code !== "number" || code > 0;
      if (wasCut) return fail("closed", `the answer ended before it was complete (${messageOf(error)})`);
      return fail("protocol", messageOf(error));
    },
  };
  return observer;
}

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  // `fetch failed` says nothing; its cause does.
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
};

/** The response; the end of its body is told. */
function watched(
  reply: Response,
  body: ReadableStream<Uint8Array>,
  onEnd: (cause: unknown) => void,
): Response {
  const reader = body.getReader();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
        controller.close();
        onEnd(undefined);
      } catch (error) {
        controller.error(error);
        onEnd(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(stream, { status: reply.status, statusText: reply.statusText, headers: reply.headers });
}
