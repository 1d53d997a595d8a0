/** A server's answer as it goes to its client: what cannot be written, or is too large, is an error instead. @module */
import { shortId } from "../../log-text.ts";
import * as failures from "../../jsonrpc/failures.ts";
import { isObject, type JsonRpcRequest, type JsonRpcResponse } from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Settings } from "../../options.ts";
import { callFailed, withoutPayload } from "./reports.ts";

/** Whose answer it is. */
export interface Answering {
  readonly sessionId: string | undefined;
  readonly settings: Pick<Settings, "emit" | "maxEventBytes">;
}

/** The answer under the id that its client knows, and the same as JSON. */
export function writeAnswer(
  { sessionId, settings: { emit, maxEventBytes } }: Answering,
  request: JsonRpcRequest,
  response: JsonRpcResponse,
): [JsonRpcResponse, string] {
  const { id } = request;
  const restored = { ...response, id };
  let instead: JsonRpcResponse;
  try {
    const json = writeResponse(restored);
    if (json.length <= maxEventBytes) return [restored, json];
    instead = failures.tooLarge(id, json.length, maxEventBytes);
  } catch (error) {
    const message = withoutPayload(error);
    callFailed(emit, {
      session: sessionId && shortId(sessionId),
      request,
      reason: "unserialisable",
      message,
    });
    instead = failures.unserialisable(id);
  }
  return [instead, toWire(instead)];
}

/**
 * A response as JSON.
 * @throws where it cannot be written, or would come out as one without a result, which clients drop
 */
function writeResponse(response: JsonRpcResponse): string {
  const { result, error } = response;
  if (error === undefined) {
    if (!isObject(result)) throw new TypeError("The result is not an object");
    if (typeof result["toJSON"] === "function" && JSON.stringify(result)?.startsWith("{") !== true) {
      throw new TypeError("The result is not an object as JSON");
    }
  }
  return toWire(response);
}
