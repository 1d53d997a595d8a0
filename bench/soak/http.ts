/** HTTP as the soak's clients speak it: connections that can be cut by the hundred, bodies read by the event. @module */
import { Agent, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { createParser } from "eventsource-parser";

/** An answer whose head has come. */
export interface Opened {
  readonly status: number;
  readonly isStream: boolean;
  readonly session: string | undefined;
  /** The whole body; rejects where it is broken off. */
  text(): Promise<string>;
  /** Reads events to the end; resolves to whether the body ended as HTTP ends one. */
  events(hear: (event: { id: string | undefined; data: string }) => void): Promise<boolean>;
  /** Breaks the connection, as a network does. */
  cut(): void;
  /** Takes nothing for so long. */
  stall(ms: number): void;
}

export interface Exchange {
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Called as it is sent: of streams only so many are opened at once. */
  readonly onSent?: () => void;
}

/**
 * Streams that are opened at once: fewer than the queue of a socket that listens has places (`somaxconn`, 4,096). All
 * 20,000 at once do not come from one machine, and the kernel has those that it drops try again for half a minute.
 */
const OPENING = 2000;

export interface Http {
  /** Resolves with the head of the answer; rejects where the connection is refused or breaks before. */
  send(exchange: Exchange): Promise<Opened>;
  /** Breaks all connections at once. */
  cutAll(): number;
  /** Connections that are open. */
  open(): number;
}

/** Calls share connections, and a stream has one of its own. */
export function createHttp(url: string): Http {
  // Shorter than any server keeps an idle connection: none is closed under a request.
  const agent = new Agent({ keepAlive: true, timeout: 2000 });
  const sockets = new Set<Socket>();
  const sendNow = ({ method, headers, body, onSent }: Exchange): Promise<Opened> =>
    new Promise((resolve, reject) => {
      const isStream = method === "GET";
      const sent = request(url, { method, headers, agent: isStream ? false : agent }, (answer) =>
        resolve(opened(answer)),
      );
      sent.on("error", reject);
      sent.on("socket", (socket) => {
        if (sockets.has(socket)) return;
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      });
      sent.end(body);
      onSent?.();
    });
  let places = OPENING;
  const waiting: (() => void)[] = [];
  return {
    async send(exchange) {
      if (exchange.method !== "GET") return sendNow(exchange);
      if (places === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      else places -= 1;
      try {
        return await sendNow(exchange);
      } finally {
        const next = waiting.shift();
        if (next === undefined) places += 1;
        else next();
      }
    },
    cutAll() {
      const count = sockets.size;
      for (const socket of sockets) socket.destroy();
      return count;
    },
    open: () => sockets.size,
  };
}

function opened(answer: IncomingMessage): Opened {
  const { statusCode: status = 0, headers } = answer;
  const session = headers["mcp-session-id"];
  answer.setEncoding("utf8");
  /** True where the body came to its end. */
  const read = (hear: (chunk: string) => void): Promise<boolean> =>
    new Promise((resolve) => {
      answer.on("data", hear);
      answer.on("error", () => {});
      answer.once("close", () => resolve(answer.complete));
    });
  return {
    status,
    isStream: headers["content-type"] === "text/event-stream",
    session: typeof session === "string" ? session : undefined,
    async text() {
      let text = "";
      if (!(await read((chunk) => (text += chunk)))) throw new Error("broken off");
      return text;
    },
    events(hear) {
      const parser = createParser({ onEvent: ({ id, data }) => hear({ id, data }) });
      return read((chunk) => parser.feed(chunk));
    },
    cut: () => void answer.destroy(),
    stall(ms) {
      answer.pause();
      setTimeout(() => answer.resume(), ms);
    },
  };
}
