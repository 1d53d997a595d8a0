/**
 * Watches the HTTP underneath an SDK transport. Each major version of the SDK, and each transport, has
 * its own errors; what the server answered is the same for all.
 * @module
 */
import { ConnectError, type ConnectFailure } from "./connect-error.ts";
import { saidBy, shortened } from "./server-said.ts";
import { type FetchLike, messagesIn } from "./wire.ts";

/** A `fetch` for an SDK transport, and what it has seen. */
export interface HttpObserver {
  readonly fetch: FetchLike;
  /** Status of the last answer to an MCP request; undefined before the first, and where there was none. */
  readonly status: number | undefined;
  /** Forgets what was seen. */
  reset(): void;
  /** Names the failure that an SDK reports as `error`, in the server's own words where it has any. */
  explain(url: string, error: unknown): Promise<ConnectError>;
}

/**
 * @param onStreamEnd called when the GET stream of HTTP+SSE ends, or when a message is refused with 404:
 *   in that era a session is its stream
 */
export function observeFetch(fetch: FetchLike, onStreamEnd: (cause: unknown) => void): HttpObserver {
  let answer: Response | undefined;
  let failure: unknown;
  /** What the server says of a refusal: read before the transport lets go of the body. */
  let said: Promise<string | undefined> | undefined;
  let sentCredentials = false;

  const observer: HttpObserver = {
    get status() {
      return answer?.status;
    },
    reset() {
      answer = failure = said = undefined;
    },
    async fetch(input, init) {
      const headers = new Headers(init?.headers);
      const isPost = messagesIn(init?.body).length > 0;
      const isStream = !isPost && (headers.get("accept") ?? "").includes("text/event-stream");
      // Whatever else is fetched, metadata of authorization above all, decides nothing here.
      if (!isPost && !isStream) return fetch(input, init);
      observer.reset();
      sentCredentials = headers.has("authorization");
      try {
        answer = await fetch(input, init);
      } catch (error) {
        failure = error;
        throw error;
      }
      if (!answer.ok) said = saidBy(answer);
      if (headers.has("mcp-session-id")) return answer;
      if (isStream && answer.ok && answer.body !== null) return watched(answer, answer.body, onStreamEnd);
      if (isPost && answer.status === 404) onStreamEnd(new Error("HTTP 404"));
      return answer;
    },
    async explain(url, error) {
      const { status, headers, ok = false } = answer ?? {};
      const type = headers?.get("content-type") ?? undefined;
      const words = await said;
      const fail = (reason: ConnectFailure, what: string): ConnectError =>
        new ConnectError(url, what, { reason, status, cause: failure ?? error });
      const refused = (what: string): string => (words === undefined ? what : `${what}: ${words}`);
      if (answer === undefined) return fail("network", `no answer (${messageOf(failure ?? error)})`);
      if (status === 401 || status === 403) {
        const wanted = sentCredentials || status === 403 ? "other credentials" : "credentials";
        return fail("unauthorized", refused(`it asks for ${wanted} (HTTP ${status})`));
      }
      if (!ok) return fail("http", refused(`HTTP ${status}`));
      if (!/^(application\/json|text\/event-stream)/i.test(type ?? "")) {
        return fail(
          "content-type",
          `it is not an MCP endpoint: its answer is ${type ?? "of no type"} (HTTP ${status})`,
        );
      }
      if (isNoMessage(error))
        return fail("protocol", `it is not an MCP endpoint: its answer is no JSON-RPC (HTTP ${status})`);
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
  const text =
    error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
  // OpenSSL (Node, Bun) and rustls (Deno): with the file and line of theirs that found out.
  return /wrong version number|InvalidContentType/i.test(text) ? "no TLS on this port" : shortened(text);
};

/** True where an SDK found that JSON is no message: its schemas say so, in a hundred lines. */
const isNoMessage = (error: unknown): boolean =>
  [error, (error as Error).cause].some((each) =>
    Array.isArray((each as { issues?: unknown } | undefined)?.issues),
  );

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
