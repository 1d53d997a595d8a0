/**
 * Heartbeats of a call of the stateless era, whose stream the SDK writes: they go between its frames, and the progress
 * that its tool reports is read on its way, so that values go on rising.
 * @module
 */
import { isNotification, type JsonRpcMessage, type JsonRpcRequest } from "../jsonrpc/messages.ts";
import { heartbeatMessage, progressTokenOf } from "../session/server/heartbeat.ts";
import { createPulses } from "../session/server/pulses.ts";

/** The heartbeats of one call. */
export interface Heartbeats {
  /** The server's frames, as they may go out. */
  pass(frames: Uint8Array): Uint8Array;
  stop(): void;
}

const PROGRESS = "notifications/progress";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @param request undefined for what is no call: it gets none
 * @param ms silence after which there is one; 0 for never
 * @param write sends one message's JSON
 */
export function createHeartbeats(
  request: JsonRpcRequest | undefined,
  ms: number,
  write: (json: string) => void,
): Heartbeats {
  const pulses = createPulses(ms, () =>
    pulse === undefined ? [] : [{ pulse, beat: (params) => write(JSON.stringify(heartbeatMessage(params))) }],
  );
  const token = ms === 0 ? undefined : progressTokenOf(request?.params);
  const pulse = token === undefined ? undefined : pulses.of(token);

  const lifted = (line: string, json: string): string => {
    if (pulse === undefined) return line;
    let message: JsonRpcMessage;
    try {
      message = JSON.parse(json) as JsonRpcMessage;
    } catch {
      // Not ours to judge: the SDK's frame goes out as it is.
      return line;
    }
    if (!isNotification(message) || message.method !== PROGRESS || message.params === undefined) return line;
    const params = pulses.reported(pulse, message.params);
    return params === message.params ? line : `data: ${JSON.stringify({ ...message, params })}`;
  };

  return {
    pass(frames) {
      if (pulse === undefined) return frames;
      const text = decoder.decode(frames);
      return text.includes(PROGRESS) ? encoder.encode(text.replace(/^data: (.*)$/gm, lifted)) : frames;
    },
    stop: pulses.stop,
  };
}
