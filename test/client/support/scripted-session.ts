/** A session through `recoveringFetch` with a script behind it, and the events that recovery told. @module */
import { recoveringFetch, type RecoveringFetchOptions } from "../../../src/client/index.ts";
import { type EventLog, logEvents } from "./events.ts";
import { openRawSession, type RawSession } from "./raw-session.ts";
import { type Answer, createScript, type Script } from "./script.ts";

export interface ScriptedSession {
  readonly script: Script;
  readonly session: RawSession;
  readonly events: EventLog;
}

export async function openScriptedSession(
  answer: Answer,
  options: RecoveringFetchOptions,
): Promise<ScriptedSession> {
  const script = createScript(answer);
  const events = logEvents();
  const fetch = recoveringFetch({ onEvent: events.onEvent, ...options, fetch: script.fetch });
  return { script, session: await openRawSession(fetch), events };
}
