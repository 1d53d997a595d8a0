/** Sessions whose dropped streams are asked for again at once, and a script that streams. @module */
import type { RecoveringFetchOptions } from "../../../src/client/index.ts";
import { type Answer, openStream, pass, reply, type ScriptStream } from "./script.ts";
import { openScriptedSession, type ScriptedSession } from "./scripted-session.ts";

export const QUICK = { initialDelayMs: 1, maxDelayMs: 2, jitter: 0, attempts: 3 };

export function opened(answer: Answer, options: RecoveringFetchOptions = {}): Promise<ScriptedSession> {
  return openScriptedSession(answer, { retry: QUICK, ...options });
}

/** Opens a stream for each GET, which it adds to `streams`, and answers `tools/list`; `more` comes first. */
export function streaming(streams: ScriptStream[], more: Answer = pass): Answer {
  return async (given) => {
    const special = await more(given);
    if (special.status !== 501) return special;
    if (given.message?.method === "tools/list") return reply(given.message, {});
    if (given.method !== "GET") return pass();
    const stream = openStream(given.signal);
    streams.push(stream);
    return stream.response;
  };
}
