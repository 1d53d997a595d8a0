/** Reads what the SDK answers one call with: a JSON body, or a stream of messages. @module */
import { SSE_TYPE } from "../http/headers.ts";
import {
  isNotification,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcResponse,
} from "../jsonrpc/messages.ts";
import { createDeframer, splitFrames } from "../sse/deframer.ts";

const decoder = new TextDecoder();

/** The call's response. Rejects where there is none: the call was cancelled, or its server let go of it. */
export async function responseIn(
  response: Response,
  onNotification: (notification: JsonRpcNotification) => void,
): Promise<JsonRpcResponse> {
  const { body, headers } = response;
  if (body === null) throw new Error("the call was cut off");
  if (headers.get("content-type") !== SSE_TYPE) return (await response.json()) as JsonRpcResponse;
  const deframer = createDeframer();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the call ended without an answer");
    const run = deframer.push(value);
    for (const frame of run === undefined ? [] : splitFrames(run)) {
      const data = /^data: (.*)$/m.exec(decoder.decode(frame))?.[1];
      if (data === undefined) continue;
      const message = JSON.parse(data) as JsonRpcMessage;
      if (isResponse(message)) return message;
      if (isNotification(message)) onNotification(message);
    }
  }
}
