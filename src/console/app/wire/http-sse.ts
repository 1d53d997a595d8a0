/** HTTP+SSE (2024-11-05): one stream carries all that the server says, and every message is a POST of its own. @module */
import { laneIs, laneOf, log, mark, openLane } from "../journal.ts";
import type { Client, ClientEnvironment, RequestOptions } from "./client.ts";
import { capabilitiesOf, CLIENT_INFO } from "./eras.ts";
import { follow, reasonOf, resumeAll, type Stream } from "./follow.ts";
import { createInbox, titleOf } from "./inbox.ts";
import { tellOutcome } from "./outcome.ts";
import type { Json, Message, Outcome } from "./types.ts";

/** A client over HTTP+SSE, not started yet. */
export function createHttpSse(environment: ClientEnvironment): Client {
  const { era, base, authorization, onStatus, onSession } = environment;
  const over = new AbortController();
  const streams = new Set<Stream>();
  /** Where to POST to; known once the stream has said so. */
  const messages = Promise.withResolvers<string>();
  messages.promise.catch(() => {});

  const headers = (): Record<string, string> => ({
    ...(authorization() !== "" && { Authorization: authorization() }),
  });

  const finish = (reason: string): void => {
    if (over.signal.aborted) return;
    over.abort(new Error(reason));
    messages.reject(new Error(reason));
    onStatus("Disconnected");
    onSession(undefined);
  };

  const refused = async (method: string, response: Response): Promise<string> => {
    log("error", `${method}: ${response.status}`, { raw: await response.text() });
    return `HTTP ${response.status}`;
  };

  const post = async (message: Message): Promise<string | undefined> => {
    const body = JSON.stringify(message);
    log("sent", titleOf(message, message.method ?? "answer"), { raw: body });
    inbox.sent(message);
    try {
      const response = await fetch(await messages.promise, {
        method: "POST",
        headers: { ...headers(), "Content-Type": "application/json" },
        body,
        signal: over.signal,
      });
      return response.ok ? undefined : await refused("POST", response);
    } catch (error) {
      return over.signal.aborted ? "it was ended" : reasonOf(error);
    }
  };
  const tell = async (message: Message): Promise<void> => void (await post(message));
  const inbox = createInbox(environment, tell, over.signal);

  const endpoint = (data: string): void => {
    const url = URL.parse(data, `${base}/sse`);
    if (url === null || url.origin !== new URL(base).origin) {
      log("error", `Not an endpoint of this origin: ${data.slice(0, 200)}`);
      return finish("the server names no endpoint of this origin");
    }
    const id = url.searchParams.get("sessionId") ?? undefined;
    onSession(id);
    messages.resolve(url.href);
  };

  const open = (lastEventId: string, signal: AbortSignal): Promise<Response> =>
    fetch(`${base}/sse`, {
      headers: {
        ...headers(),
        Accept: "text/event-stream",
        ...(lastEventId !== "" && { "Last-Event-ID": lastEventId }),
      },
      signal,
    });

  const request = async (method: string, params?: Json, options: RequestOptions = {}): Promise<Outcome> => {
    const waiting = inbox.expect(options);
    const { id } = waiting;
    const title = options.title ?? method;
    const lane = laneOf(options.title);
    mark("call", title, { lane });
    laneIs(lane, "open");
    const _meta = { ...(params?.["_meta"] as Json | undefined), progressToken: id };
    const lost = (reason: string): void => {
      if (!waiting.isSettled()) waiting.settle({ type: "lost", reason });
    };
    const cancel = (): void => {
      if (waiting.isSettled()) return;
      waiting.settle({ type: "cancelled" });
      void tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
    };
    const ended = (): void => lost("the session is over");
    options.signal?.addEventListener("abort", cancel);
    over.signal.addEventListener("abort", ended);
    void post({
      jsonrpc: "2.0",
      id,
      method,
      ...(params && { params: options.onProgress ? { ...params, _meta } : params }),
    }).then((why) => why !== undefined && lost(why));
    const outcome = await waiting.outcome;
    options.signal?.removeEventListener("abort", cancel);
    over.signal.removeEventListener("abort", ended);
    laneIs(lane, undefined);
    tellOutcome(outcome, title, lane);
    return outcome;
  };

  return {
    era,
    async start() {
      onStatus("Connecting");
      const lane = openLane("event stream");
      const stream = follow({
        lane,
        over: over.signal,
        open: (signal) => open("", signal),
        reopen: open,
        needsId: false,
        hear: (data, type) => (type === "endpoint" ? endpoint(data) : inbox.receive(data)),
        isDone: () => false,
        onFirst: () => mark("open", "the event stream is open", { lane }),
        onState: (state) => {
          if (over.signal.aborted || state === "open") return;
          onStatus(state === "cut" ? "Cut" : "Reconnecting");
        },
        onResumed: () => onStatus("Connected"),
        onAnswer: (response) => refused("GET", response),
      });
      streams.add(stream);
      void stream.ended.then((why) => finish(why ?? "the stream ended"));
      const outcome = await request(
        "initialize",
        { protocolVersion: era.version, capabilities: capabilitiesOf(era), clientInfo: CLIENT_INFO },
        { title: "initialize" },
      );
      if (over.signal.aborted) return outcome;
      if (outcome.type !== "result") {
        finish("it could not be opened");
        return outcome;
      }
      await tell({ jsonrpc: "2.0", method: "notifications/initialized" });
      if (!over.signal.aborted) onStatus("Connected");
      return outcome;
    },
    request,
    cut() {
      for (const stream of streams) stream.cut();
    },
    resume(from) {
      resumeAll(streams, from);
    },
    async end() {
      if (over.signal.aborted) return;
      mark("end", "the stream is closed: this era has no way to end a session");
      finish("it was ended");
    },
  };
}
