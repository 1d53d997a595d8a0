/**
 * 2026-07-28: no session. Each request stands alone, with the envelope that says what it is; what the server needs
 * of its user it asks in its result, and the request is sent again with the answers.
 * @module
 */
import { laneIs, laneOf, log, mark, openLane } from "../journal.ts";
import type { Client, ClientEnvironment, RequestOptions } from "./client.ts";
import { capabilitiesOf, CLIENT_INFO } from "./eras.ts";
import { follow, pause, type Stream } from "./follow.ts";
import { createInbox, titleOf } from "./inbox.ts";
import { tellOutcome } from "./outcome.ts";
import { answersTo } from "./questions.ts";
import { isObject, type Json, type Message, type Outcome, textIn } from "./types.ts";

/** What is heard of, as far as the server tells it. */
const EVERYTHING = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
/** A server that goes on asking is not answered for ever. */
const MAX_ROUNDS = 50;
/** Which member of the params is mirrored in the header `Mcp-Name`. */
const NAMES: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

/** A client of 2026-07-28, not started yet. */
export function createStateless(environment: ClientEnvironment): Client {
  const { era, base, authorization, onStatus } = environment;
  const endpoint = `${base}/mcp`;
  const over = new AbortController();
  const streams = new Set<Stream>();
  let isCut: PromiseWithResolvers<void> | undefined;
  const inbox = createInbox(environment, async () => {}, over.signal);

  const post = (
    message: Message,
    signal: AbortSignal,
    more: RequestOptions["headers"] = {},
  ): Promise<Response> => {
    const { method = "", params = {} } = message;
    const body = JSON.stringify(message);
    const name = textIn(params[NAMES[method] ?? ""]);
    log("sent", titleOf(message), { raw: body });
    inbox.sent(message);
    return fetch(endpoint, {
      method: "POST",
      headers: {
        ...more,
        ...(authorization() !== "" && { Authorization: authorization() }),
        "MCP-Protocol-Version": era.version,
        "Mcp-Method": method,
        ...(name !== undefined && { "Mcp-Name": headerText(name) }),
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
      },
      body,
      signal,
    });
  };

  /** One request and its answer; what it asks for is the caller's. */
  const once = async (
    method: string,
    params: Json,
    { lane, ...options }: RequestOptions & { lane: number },
  ): Promise<Outcome> => {
    const waiting = inbox.expect(options);
    const _meta = {
      ...(params["_meta"] as Json | undefined),
      "io.modelcontextprotocol/protocolVersion": era.version,
      "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
      "io.modelcontextprotocol/clientCapabilities": capabilitiesOf(era),
      "io.modelcontextprotocol/logLevel": "debug",
      ...(options.onProgress && { progressToken: waiting.id }),
    };
    const message: Message = { jsonrpc: "2.0", id: waiting.id, method, params: { ...params, _meta } };
    const done = new AbortController();
    const stream = follow({
      lane,
      over: AbortSignal.any([over.signal, done.signal]),
      open: (link) => post(message, link, options.headers),
      reopen: undefined,
      needsId: true,
      hear: inbox.receive,
      isDone: waiting.isSettled,
      async onAnswer(response) {
        const raw = await response.text();
        if (!response.ok) log("error", `POST: ${response.status}`, { raw });
        // An error status carries the error that the request is answered with.
        if ((response.headers.get("Content-Type") ?? "").startsWith("application/json")) inbox.receive(raw);
        return `HTTP ${response.status}`;
      },
    });
    streams.add(stream);
    const cancel = (): void => {
      if (!waiting.isSettled()) waiting.settle({ type: "cancelled" });
      done.abort(new Error("cancelled"));
    };
    options.signal?.addEventListener("abort", cancel);
    void stream.ended.then((why) => {
      streams.delete(stream);
      if (!waiting.isSettled()) waiting.settle({ type: "lost", reason: why ?? "no answer" });
    });
    const outcome = await waiting.outcome;
    options.signal?.removeEventListener("abort", cancel);
    return outcome;
  };

  const request = async (
    method: string,
    params: Json = {},
    options: RequestOptions = {},
  ): Promise<Outcome> => {
    const title = options.title ?? method;
    const lane = laneOf(options.title);
    mark("call", title, { lane });
    laneIs(lane, "open");
    const signal = AbortSignal.any([over.signal, ...(options.signal ? [options.signal] : [])]);
    let asking = params;
    let outcome: Outcome = { type: "lost", reason: "the server asks again and again" };
    for (let round = 0; round < MAX_ROUNDS; round++) {
      outcome = await once(method, asking, { ...options, lane });
      if (outcome.type !== "result" || outcome.result["resultType"] !== "input_required") break;
      const { inputRequests, requestState } = outcome.result;
      const inputResponses = await answersTo(inputRequests, signal).catch(() => undefined);
      if (inputResponses === undefined) {
        outcome = { type: "cancelled" };
        break;
      }
      asking = { ...params, inputResponses, ...(requestState !== undefined && { requestState }) };
    }
    laneIs(lane, undefined);
    tellOutcome(outcome, title, lane);
    return outcome;
  };

  /** What changes on the server, for as long as the console is connected. A drop loses what came in between. */
  const listen = async (): Promise<void> => {
    const lane = openLane("subscriptions/listen");
    for (let attempt = 0; !over.signal.aborted; attempt++) {
      if (attempt > 0) mark("redial", "listens again: what changed in between is not told again", { lane });
      const outcome = await once("subscriptions/listen", { notifications: EVERYTHING }, { lane });
      if (over.signal.aborted) return;
      if (outcome.type !== "lost") return mark("end", "the server hears no listeners", { lane });
      if (isCut !== undefined) {
        onStatus("Cut");
        await isCut.promise;
        onStatus("Connected");
      } else {
        await pause(1000, over.signal).catch(() => {});
      }
    }
  };

  return {
    era,
    async start() {
      onStatus("Connecting");
      const outcome = await request("server/discover", {}, { title: "server/discover" });
      if (over.signal.aborted) return outcome;
      onStatus(outcome.type === "result" ? "Connected" : "Disconnected");
      if (outcome.type === "result") void listen();
      return outcome;
    },
    // The era has no ping: the server is asked who it is.
    request: (method, params, options) =>
      request(method === "ping" ? "server/discover" : method, params, options),
    cut() {
      isCut ??= Promise.withResolvers<void>();
      for (const stream of streams) stream.cut();
    },
    resume() {
      isCut?.resolve();
      isCut = undefined;
    },
    async end() {
      if (over.signal.aborted) return;
      mark("end", "disconnected: there is no session to end");
      over.abort(new Error("it was ended"));
      isCut?.resolve();
      onStatus("Disconnected");
    },
  };
}

/** A value as a header carries it: as it is where a header can, else as its bytes in base64. */
export function headerText(value: string): string {
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !value.startsWith("=?")) return value;
  const bytes = Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte));
  return `=?base64?${btoa(bytes.join(""))}?=`;
}

/** What a tool's schema says must be mirrored into headers, of these arguments. */
export function mirrored(schema: unknown, args: unknown, depth: number = 0): Record<string, string> {
  const properties = isObject(schema) && isObject(schema["properties"]) ? schema["properties"] : {};
  const headers: Record<string, string> = {};
  if (!isObject(args) || depth > 20) return headers;
  for (const [key, property] of Object.entries(properties)) {
    if (!isObject(property)) continue;
    const value = args[key];
    const name = textIn(property["x-mcp-header"]);
    if (name !== undefined && /^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      if (["string", "number", "boolean"].includes(typeof value)) {
        headers[`Mcp-Param-${name}`] = headerText(String(value));
      }
    } else Object.assign(headers, mirrored(property, value, depth + 1));
  }
  return headers;
}
