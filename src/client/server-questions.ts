/**
 * Keeps the requests of a server's dead session apart from those of the session that took its place.
 *
 * Servers number their requests (elicitation, sampling, roots) from 0 in each session. A user who
 * answers the question of a dead session would otherwise answer whatever the new session asked under
 * the same number. So the ids of requests from any but the first session are tagged with the session's
 * generation on their way in; answers lose the tag on their way out, or are dropped if it is an old one.
 *
 * Batches, which only 2025-03-26 and before have and which no SDK sends, are left as they are.
 * @module
 */
import type { RequestId } from "../jsonrpc/messages.ts";
import { type Message, parse } from "./wire.ts";

/** `data`, which holds a server's request or notification, with its tag. */
export function tagQuestion(data: string, message: Message, generation: number | undefined): string {
  // What `notifications/cancelled` names is the request that it calls off.
  const [holder, name] = message.id === undefined ? [message.params, "requestId"] : [message, "id"];
  if (!generation || holder?.[name] === undefined) return data;
  holder[name] = JSON.stringify([generation, holder[name]]);
  return JSON.stringify(message);
}

/** Takes the tag off an answer, in place. False where the answer is for a dead session. */
export function untagAnswer(message: Message, generation: number): boolean {
  const [of, id] = parse(message.id);
  message.id = id as RequestId;
  return of === generation;
}
