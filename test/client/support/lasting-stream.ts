/** Sessions whose dropped streams are asked for again at once, and scripts that stream and drop. @module */
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

/** Drops the stream of each call after `first`; `get` answers the attempts to resume it. */
export function dropping(first: string, get: Answer): Answer {
  return (given) => {
    if (given.method === "GET") return get(given);
    if (given.message?.method !== "tools/call") return pass();
    const stream = openStream();
    stream.write(first);
    stream.end();
    return stream.response;
  };
}

/** There is no connection to be had. */
export const refuse: Answer = () => {
  throw new TypeError("fetch failed");
};
