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
import type { Message } from "./wire.ts";

const tagOf = (generation: number): string => `holdfast${generation}:`;

/** Tags a message from the server, in place. True where there was something to tag. */
export function tagQuestion(message: Message, generation: number): boolean {
  // What `notifications/cancelled` names is the request that it calls off.
  const [at, name] = message.id === undefined ? [message.params, "requestId"] : [message, "id"];
  if (!generation || !message.method || at?.[name] === undefined) return false;
  at[name] = tagOf(generation) + JSON.stringify(at[name]);
  return true;
}

/** Takes the tag off an answer, in place. False where the answer is for a dead session. */
export function untagAnswer(message: Message, generation: number): boolean {
  if (!generation) return true;
  const [before, id] = `${message.id}`.split(tagOf(generation));
  if (before || !id) return false;
  message.id = JSON.parse(id);
  return true;
}
