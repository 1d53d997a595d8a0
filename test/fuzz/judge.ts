/** What must be true of every answer, whatever was asked. @module */
import { MAX_URI_BYTES } from "../../src/jsonrpc/envelope.ts";
import { isJson, isPlain } from "../../src/http/negotiate.ts";
import { isRequest, type JsonRpcRequest, type RequestId } from "../../src/jsonrpc/messages.ts";
import { parsePayload, refusalId } from "../../src/jsonrpc/parse.ts";
import type { Message } from "../support/messages.ts";
import type { Reply } from "./exchange.ts";
import { BAD_HOSTS, type HttpRequest } from "./requests.ts";

/** Origins that a server on localhost allows by default. */
const ALLOWED = ["http://localhost:3000", "http://127.0.0.1:1"];
/** Where the transport answers, and not the app around it. */
const OURS = /^\/(mcp|sse|messages|info)\/?(\?.*)?$/;

/** The requests in a body as far as it would be let in. */
export function requestsIn({ body = "" }: HttpRequest): readonly JsonRpcRequest[] {
  const parsed = parsePayload(body, 65_536);
  return "failure" in parsed ? [] : parsed.payload.messages.filter(isRequest);
}

/** Messages in a body of JSON or of events. */
export function messagesIn({ headers, text }: Reply): Message[] {
  if (headers.get("content-type") !== "text/event-stream") {
    const parsed = JSON.parse(text) as Message | Message[];
    return Array.isArray(parsed) ? parsed : [parsed];
  }
  // The last block may be cut.
  return text
    .split("\n\n")
    .slice(0, -1)
    .flatMap((block) => {
      const data = /^data: (.+)$/m.exec(block)?.[1];
      return data === undefined || !/^event: message$/m.test(block) ? [] : [JSON.parse(data) as Message];
    });
}

/** Requests of this body that the answer so far does not answer. */
export function unanswered(request: HttpRequest, reply: Reply): RequestId[] {
  const answered = messagesIn(reply).filter(({ method }) => method === undefined);
  return requestsIn(request)
    .map(({ id }) => id)
    .filter((id) => !answered.some((message) => Object.is(message.id, id) || message.id === id));
}

/** True where the answer to what was asked stays open by nature. */
export function staysOpen(
  { method }: HttpRequest,
  reply: Reply,
  requests: readonly JsonRpcRequest[],
): boolean {
  if (reply.headers.get("content-type") !== "text/event-stream") return false;
  return method !== "POST" || requests.some(({ method: called }) => called === "subscriptions/listen");
}

function headerOf({ headers }: HttpRequest, name: string): string | undefined {
  return headers.findLast(([given]) => given.toLowerCase() === name)?.[1];
}

/** What is wrong with an answer; empty where nothing is. */
export function faultsOf(request: HttpRequest, reply: Reply): string[] {
  const faults: string[] = [];
  const { status, headers, text } = reply;
  const header = (name: string): string | undefined => headerOf(request, name);
  const isOurs = OURS.test(request.path) && !BAD_HOSTS.includes(header("host") ?? "");
  if (!(status >= 200 && status < 500)) faults.push(`status ${status}`);

  const origin = header("origin");
  const mirrored = headers.get("access-control-allow-origin");
  if (origin !== undefined && isOurs && status !== 403) {
    if (ALLOWED.includes(origin) ? mirrored !== origin : true)
      faults.push(`origin ${origin} got ${status}, ${mirrored}`);
  }
  if (mirrored !== undefined && !ALLOWED.includes(mirrored)) faults.push(`${mirrored} is allowed`);

  // Bun adds a charset to what the SDK answers.
  if (/^application\/json(;|$)/.test(headers.get("content-type") ?? "") && request.method !== "HEAD") {
    try {
      const parsed = messagesIn(reply);
      if (status >= 400 && isOurs) {
        const [{ error, id } = {}] = parsed;
        if (typeof error?.code !== "number" || typeof error.message !== "string")
          faults.push("no error in its body");
        const due = idDue(request, status);
        if (due !== undefined && id !== due)
          faults.push(`refused under ${JSON.stringify(id)}, not ${JSON.stringify(due)}`);
      }
    } catch {
      faults.push("its body is not JSON");
    }
  } else if (status >= 400 && isOurs && request.method !== "HEAD") {
    faults.push(`a refusal of type ${headers.get("content-type")}`);
  }
  if (/\bat .+:\d+:\d+|node_modules|\.ts:\d/.test(status >= 400 ? text : ""))
    faults.push("a stack in its body");
  if (status === 200 && isOurs && request.method === "POST") {
    const missing = unanswered(request, reply);
    if (missing.length > 0 && !staysOpen(request, reply, requestsIn(request))) {
      faults.push(`no answer to ${JSON.stringify(missing)}`);
    }
  }
  return faults;
}

/** The id that a refusal must have: that of the one request, where it was let in so far as to be read. */
function idDue(request: HttpRequest, status: number): RequestId | undefined {
  if (request.method !== "POST" || ![400, 404, 406, 429].includes(status)) return undefined;
  // What is not declared as plain JSON is not read.
  if (!isJson(headerOf(request, "content-type") ?? null)) return undefined;
  if (!isPlain(headerOf(request, "content-encoding") ?? null)) return undefined;
  const parsed = parsePayload(request.body ?? "", 65_536);
  if ("failure" in parsed) return parsed.id ?? undefined;
  const id = refusalId(parsed.payload);
  // The stateless era's own refusals are the SDK's.
  const isModern =
    JSON.stringify(request).includes("2026-07-28") || request.body?.includes("protocolVersion");
  return id === null || isModern || (request.body ?? "").length > MAX_URI_BYTES ? undefined : id;
}
