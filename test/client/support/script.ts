/** A server in the form of a `fetch`: tests decide each answer, to the byte. @module */
import type { FetchLike } from "../../../src/client/index.ts";
import type { Message } from "../../support/messages.ts";
import { within } from "../../support/wait.ts";

export interface ScriptRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly message: Message | undefined;
  readonly signal: AbortSignal | undefined;
  /** Which of its JSON-RPC method, or else of its HTTP method, it is; 1 is the first. */
  readonly n: number;
}

export type Answer = (request: ScriptRequest) => Response | Promise<Response>;

export interface Script {
  readonly fetch: FetchLike;
  readonly sent: ScriptRequest[];
  /** Called for what the script does not answer itself. */
  answer: Answer;
  /** Ids of the sessions that it knows; deleting one loses it. */
  readonly sessions: Set<string>;
  /** Result of `initialize`, besides the version that was asked for. */
  result: Record<string, unknown>;
  /** The requests with this HTTP or JSON-RPC method. */
  of(method: string): ScriptRequest[];
  /** The request of this method with this number, 1 being the first; waits until it is there. */
  nth(method: string, n: number): Promise<ScriptRequest>;
}

/**
 * Opens a session for each `initialize`, accepts notifications and `ping`, and knows no session that it
 * did not open; the rest is the test's. Like a real `fetch`, it rejects when the signal aborts.
 */
export function createScript(answer: Answer): Script {
  const sent: ScriptRequest[] = [];
  const waiting = new Set<() => void>();
  const script: Script = {
    sent,
    answer,
    sessions: new Set(),
    result: {},
    of: (method) => sent.filter((request) => [request.method, request.message?.method].includes(method)),
    nth: (method, n) => {
      const found = new Promise<ScriptRequest>((resolve) => {
        const look = (): void => {
          const request = script.of(method)[n - 1];
          if (request === undefined) return;
          waiting.delete(look);
          resolve(request);
        };
        waiting.add(look);
        look();
      });
      return within(found, `${method} number ${n}`);
    },
    async fetch(input, init = {}) {
      void input;
      const { method = "GET", body, headers, signal } = init;
      signal?.throwIfAborted();
      const message = typeof body === "string" ? (JSON.parse(body) as Message) : undefined;
      const n = script.of(message?.method ?? method).length + 1;
      const request = { method, headers: new Headers(headers), message, signal: signal ?? undefined, n };
      sent.push(request);
      for (const look of waiting) look();
      // A client that asks for ever fails its test; without a pause, the test would never end.
      if (sent.length > 2000) return new Promise(() => undefined);
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
      return Promise.race([serve(request), aborted]);
    },
  };

  async function serve(request: ScriptRequest): Promise<Response> {
    const { method, headers, message } = request;
    const id = headers.get("mcp-session-id");
    if (message?.method === "initialize" && id === null) {
      const given = await script.answer(request);
      if (given.status !== 501) return given;
      const opened = `session-${script.of("initialize").length}`;
      script.sessions.add(opened);
      const result = {
        protocolVersion: message.params?.["protocolVersion"] ?? "2025-11-25",
        capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
        serverInfo: { name: "script", version: "1" },
        ...script.result,
      };
      return reply(message, result, { "mcp-session-id": opened });
    }
    if (id !== null && !script.sessions.has(id)) return new Response(null, { status: 404 });
    const given = await script.answer(request);
    if (given.status !== 501) return given;
    if (message?.method === "ping") return reply(message, {});
    if (method === "POST" && message?.id === undefined) return new Response(null, { status: 202 });
    return given;
  }
  return script;
}

/** The answer that leaves a request to the script. */
export const pass = (): Response => new Response(null, { status: 501 });

/** The JSON-RPC response to `message`, as JSON. */
export function reply(
  message: Message | undefined,
  result: object,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ jsonrpc: "2.0", id: message?.id ?? null, result }, { headers });
}

export interface ScriptStream {
  readonly response: Response;
  /** Writes text as it is. */
  write(text: string): void;
  /** Writes a message as an event. */
  send(message: object, id?: string): void;
  end(): void;
  /** Breaks the connection. */
  fail(): void;
  /** Resolves when the reader lets go of the stream. */
  readonly cancelled: Promise<void>;
}

/** What was written is read before the stream ends or fails, as on a wire. */
export function openStream(signal?: AbortSignal): ScriptStream {
  const encoder = new TextEncoder();
  const queue: ((controller: ReadableStreamDefaultController<Uint8Array>) => void)[] = [];
  let wake = (): void => undefined;
  let cancel = (): void => undefined;
  const cancelled = new Promise<void>((resolve) => (cancel = resolve));
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const abort = (): void => {
          controller.error(signal?.reason);
          cancel();
        };
        signal?.addEventListener("abort", abort);
      },
      async pull(controller) {
        while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        queue.shift()?.(controller);
      },
      cancel: () => cancel(),
    },
    { highWaterMark: 0 },
  );
  const add = (step: (typeof queue)[number]): void => {
    queue.push(step);
    wake();
  };
  const write = (text: string): void => add((controller) => controller.enqueue(encoder.encode(text)));
  return {
    response: new Response(body, { headers: { "content-type": "text/event-stream" } }),
    write,
    send: (message, id) =>
      write(`${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`),
    end: () => add((controller) => controller.close()),
    fail: () => add((controller) => controller.error(new TypeError("terminated"))),
    cancelled,
  };
}
