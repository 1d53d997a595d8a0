/** What every era has in common: requests that wait for their answers, and what comes in from the server. @module */
import { log } from "../journal.ts";
import type { ClientEnvironment, Progress, RequestOptions } from "./client.ts";
import { askUser } from "./questions.ts";
import { errorIn, isObject, type Json, type Message, type Outcome, textIn } from "./types.ts";

/** A request that waits for its answer. */
export interface Waiting {
  readonly id: number;
  /** Settles with the answer, or with what `give` says. */
  readonly outcome: Promise<Outcome>;
  isSettled(): boolean;
  settle(outcome: Outcome): void;
}

/** What comes in, and what it belongs to. */
export interface Inbox {
  /** Notes a request that is about to be sent. */
  expect(options: RequestOptions): Waiting;
  /** Reads a message, or a batch, that came as this text; answers what asks. */
  receive(raw: string): void;
  /** How long ago that request was sent. */
  sent(message: Message): void;
}

/** @param reply sends an answer to what the server asked */
export function createInbox(
  { onNotification }: Pick<ClientEnvironment, "onNotification">,
  reply: (message: Message) => Promise<void>,
  over: AbortSignal,
): Inbox {
  const waiting = new Map<number, Waiting & { onProgress: RequestOptions["onProgress"] }>();
  const sentAt = new Map<number, { at: number; title: string }>();
  /** What the server asked and may take back. */
  const asked = new Map<string | number, AbortController>();
  let lastId = 0;

  const settled = (message: Message): Outcome =>
    message.error === undefined
      ? { type: "result", result: isObject(message.result) ? message.result : {} }
      : { type: "error", error: errorIn(message.error) };

  const question = async (message: Message, id: string | number): Promise<void> => {
    if (message.method === "ping") return reply({ jsonrpc: "2.0", id, result: {} });
    const taken = new AbortController();
    asked.set(id, taken);
    try {
      const params = isObject(message.params) ? message.params : {};
      const answer = await askUser(message.method ?? "", params, AbortSignal.any([over, taken.signal]));
      await reply({ jsonrpc: "2.0", id, ...answer });
    } catch {
      log("status", `${message.method ?? ""}: the question was taken back`);
    } finally {
      asked.delete(id);
    }
  };

  const notified = (message: Message): void => {
    const params = isObject(message.params) ? message.params : {};
    if (message.method === "notifications/cancelled") {
      asked.get(params["requestId"] as string | number)?.abort(new Error("cancelled"));
    }
    if (message.method === "notifications/progress") {
      waiting.get(params["progressToken"] as number)?.onProgress?.(progressIn(params));
    }
    onNotification(message);
  };

  const one = (message: Message): void => {
    if (typeof message.method === "string") {
      if (message.id === undefined) notified(message);
      else void question(message, message.id);
    } else if (typeof message.id === "number") {
      waiting.get(message.id)?.settle(settled(message));
    }
  };

  return {
    expect({ onProgress }) {
      const id = ++lastId;
      let isSettled = false;
      let resolve: (outcome: Outcome) => void = () => {};
      const outcome = new Promise<Outcome>((settle) => (resolve = settle));
      const entry = {
        id,
        outcome,
        onProgress,
        isSettled: () => isSettled,
        settle(what: Outcome) {
          isSettled = true;
          waiting.delete(id);
          sentAt.delete(id);
          resolve(what);
        },
      };
      waiting.set(id, entry);
      return entry;
    },
    sent(message) {
      const { id, method } = message;
      if (typeof id === "number" && method !== undefined)
        sentAt.set(id, { at: Date.now(), title: titleOf(message) });
    },
    receive(raw) {
      let parsed: unknown;
      try {
        parsed = JSON.parse(raw);
      } catch {
        return log("error", "Not JSON", { raw });
      }
      const messages = (Array.isArray(parsed) ? parsed : [parsed]).filter(isObject) as Message[];
      if (messages.length === 0) log("error", "Not a message", { raw });
      for (const message of messages) {
        const request = typeof message.id === "number" ? sentAt.get(message.id) : undefined;
        const text = messages.length === 1 ? raw : JSON.stringify(message);
        if (typeof message.method === "string") {
          log(message.id === undefined ? "notification" : "request", titleOf(message), { raw: text });
        } else {
          const ms = request && Date.now() - request.at;
          const title =
            message.error === undefined ? (request?.title ?? "") : titleOf(message, request?.title);
          log(message.error === undefined ? "response" : "error", title, {
            raw: text,
            ...(ms !== undefined && { ms }),
          });
        }
        one(message);
      }
    },
  };
}

/** In one line, what a message is about. */
export function titleOf(message: Message, method: string = message.method ?? ""): string {
  if (message.error !== undefined) {
    const { code = "", message: words = "" } = errorIn(message.error);
    return `${method} ${code} ${words}`.trim();
  }
  const { params } = message;
  // What it is says the log itself.
  method = method.replace(/^notifications\//, "");
  if (!isObject(params)) return method;
  const name = textIn(params["name"]) ?? textIn(params["uri"]) ?? textIn(params["taskId"]);
  if (name !== undefined) return `${method} ${name}`;
  if (method === "progress") {
    const { progress, total } = progressIn(params);
    return `${method} ${progress}${total === undefined ? "" : ` of ${total}`}`;
  }
  if (method === "message") return `${method} ${JSON.stringify(params["data"] ?? null)}`.slice(0, 200);
  return method;
}

function progressIn(params: Json): Progress {
  const { progress, total, message } = params;
  return {
    progress: typeof progress === "number" ? progress : 0,
    total: typeof total === "number" && total > 0 ? total : undefined,
    message: textIn(message),
  };
}
