/** Streamable HTTP with sessions: 2025-03-26 to 2025-11-25. @module */
import { laneIs, laneOf, log, mark, openLane } from "../journal.ts";
import type { Client, ClientEnvironment, RequestOptions } from "./client.ts";
import { capabilitiesOf, CLIENT_INFO } from "./eras.ts";
import { follow, reasonOf, resumeAll, type Stream } from "./follow.ts";
import { createInbox, titleOf } from "./inbox.ts";
import { tellOutcome } from "./outcome.ts";
import { type Json, type Message, type Outcome, textIn } from "./types.ts";

/** A client over Streamable HTTP with sessions, not started yet. */
export function createStreamable(environment: ClientEnvironment): Client {
  const { era, base, authorization, onStatus, onSession } = environment;
  const endpoint = `${base}/mcp`;
  const over = new AbortController();
  const streams = new Set<Stream>();
  let sessionId: string | undefined;
  let version: string | undefined;

  const headers = (): Record<string, string> => ({
    ...(authorization() !== "" && { Authorization: authorization() }),
    ...(sessionId !== undefined && { "Mcp-Session-Id": sessionId }),
    ...(version !== undefined && { "MCP-Protocol-Version": version }),
  });

  const post = (
    message: Message,
    signal: AbortSignal,
    more: RequestOptions["headers"] = {},
  ): Promise<Response> => {
    const body = JSON.stringify(message);
    log("sent", titleOf(message, message.method ?? "answer"), { raw: body });
    inbox.sent(message);
    return fetch(endpoint, {
      method: "POST",
      headers: {
        ...headers(),
        ...more,
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
      },
      body,
      signal,
    });
  };

  /** What needs no answer but the server's word that it has come. */
  const tell = async (message: Message): Promise<void> => {
    try {
      const response = await post(message, over.signal);
      if (!response.ok) await refused("POST", response);
    } catch (error) {
      if (!over.signal.aborted) log("error", `${message.method ?? "answer"}: ${reasonOf(error)}`);
    }
  };
  const inbox = createInbox(environment, tell, over.signal);

  const finish = (): void => {
    if (over.signal.aborted) return;
    over.abort(new Error("the session is over"));
    onStatus("Disconnected");
    onSession(undefined);
  };

  const refused = async (method: string, response: Response): Promise<string> => {
    const text = await response.text();
    log("error", `${method}: ${response.status}`, { raw: text });
    // The session is gone: there is nothing to come back to, and nothing to delete.
    if (response.status === 404) {
      mark("error", "the server does not know the session any more");
      finish();
    }
    return `HTTP ${response.status}`;
  };

  const reopen = (lastEventId: string, signal: AbortSignal): Promise<Response> =>
    fetch(endpoint, {
      headers: {
        ...headers(),
        Accept: "text/event-stream",
        ...(lastEventId !== "" && { "Last-Event-ID": lastEventId }),
      },
      signal,
    });

  const keep = async (stream: Stream): Promise<string | undefined> => {
    streams.add(stream);
    try {
      return await stream.ended;
    } finally {
      streams.delete(stream);
    }
  };

  const request = async (method: string, params?: Json, options: RequestOptions = {}): Promise<Outcome> => {
    const waiting = inbox.expect(options);
    const { id } = waiting;
    const _meta = { ...(params?.["_meta"] as Json | undefined), progressToken: id };
    const message: Message = {
      jsonrpc: "2.0",
      id,
      method,
      ...(params && { params: options.onProgress ? { ...params, _meta } : params }),
    };
    const lane = laneOf(options.title);
    mark("call", options.title ?? method, { lane });
    laneIs(lane, "open");
    const done = new AbortController();
    const signal = AbortSignal.any([over.signal, done.signal]);
    const stream = follow({
      lane,
      over: signal,
      open: (link) => post(message, link),
      reopen,
      needsId: true,
      hear: inbox.receive,
      isDone: waiting.isSettled,
      async onAnswer(response, isFirst) {
        if (!response.ok) return refused(isFirst ? "POST" : "GET", response);
        sessionId ??= response.headers.get("Mcp-Session-Id") ?? undefined;
        if ((response.headers.get("Content-Type") ?? "").startsWith("application/json")) {
          inbox.receive(await response.text());
        }
        return "the answer was no answer to it";
      },
      onFirst: (response) => (sessionId ??= response.headers.get("Mcp-Session-Id") ?? undefined),
    });
    const cancel = (): void => {
      if (waiting.isSettled()) return;
      waiting.settle({ type: "cancelled" });
      void tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
      done.abort(new Error("cancelled"));
    };
    options.signal?.addEventListener("abort", cancel);
    void keep(stream).then((why) => {
      if (waiting.isSettled()) return;
      waiting.settle({ type: "lost", reason: why ?? "no answer" });
      if (!over.signal.aborted) log("error", `${method}: ${why ?? "no answer"}`);
    });
    const outcome = await waiting.outcome;
    options.signal?.removeEventListener("abort", cancel);
    tellOutcome(outcome, options.title ?? method, lane);
    return outcome;
  };

  /** The standalone stream, for as long as the session lasts. */
  const listen = (): void => {
    const lane = openLane("standalone stream");
    const stream = follow({
      lane,
      over: over.signal,
      async open(link) {
        const response = await reopen("", link);
        if (response.ok) log("status", "The standalone stream is open");
        if (response.ok) mark("open", "the standalone stream is open", { lane });
        return response;
      },
      reopen,
      needsId: false,
      hear: inbox.receive,
      isDone: () => false,
      onState: (state) => {
        if (over.signal.aborted) return;
        onStatus(state === "open" ? "Connected" : state === "cut" ? "Cut" : "Reconnecting");
      },
      async onAnswer(response) {
        if (response.status !== 405) return refused("GET", response);
        log("status", "The server has no standalone stream");
        return "there is none";
      },
    });
    void keep(stream);
  };

  return {
    era,
    async start() {
      onStatus("Connecting");
      const outcome = await request(
        "initialize",
        { protocolVersion: era.version, capabilities: capabilitiesOf(era), clientInfo: CLIENT_INFO },
        { title: "initialize" },
      );
      if (over.signal.aborted) return outcome;
      if (outcome.type !== "result") {
        finish();
        return outcome;
      }
      version = textIn(outcome.result["protocolVersion"]);
      await tell({ jsonrpc: "2.0", method: "notifications/initialized" });
      if (over.signal.aborted) return outcome;
      onSession(sessionId);
      onStatus("Connected");
      if (sessionId !== undefined) listen();
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
      const init = { method: "DELETE", headers: headers(), keepalive: true };
      const had = sessionId;
      finish();
      if (had === undefined) return;
      mark("end", "the session is ended by DELETE");
      try {
        const response = await fetch(endpoint, init);
        log(response.ok ? "status" : "error", `DELETE: ${response.status}`);
      } catch (error) {
        log("error", `DELETE: ${reasonOf(error)}`);
      }
    },
  };
}
