/**
 * Ids of what a session's server asks its client. In a session that is found by its key they name the session,
 * so that an answer, which carries no key, finds its question.
 * @module
 */

const MARK = "~";
const SHAPE = /^([A-Za-z0-9_-]{1,128})~/;

/** What the ids of a session's questions begin with. */
export function questionPrefix(sessionId: string): string {
  return sessionId + MARK;
}

/** The session that the id of an answered question names; undefined where it names none. */
export function sessionOfQuestion(id: unknown): string | undefined {
  return typeof id === "string" ? SHAPE.exec(id)?.[1] : undefined;
}
