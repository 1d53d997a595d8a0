/** What a task asks its client, and what it is answered (SEP-2663, "Task Update Requests"). @module */
import { notTheInput, type Failure } from "../jsonrpc/failures.ts";
import type { JsonObject } from "../jsonrpc/messages.ts";

/** A question that a task has asked its client. */
export interface Question {
  /** What the tool calls it. */
  readonly name: string;
  readonly request: JsonObject;
  /** Undefined while it is not answered. */
  readonly response?: JsonObject | undefined;
}

/** Questions of one round, by the keys that their client sees: unique in the task's life. */
export type Questions = Readonly<Record<string, Question>>;

/** The questions of a round, under keys of their own. */
export function questionsOf(round: number, asked: Readonly<Record<string, unknown>>): Questions {
  return Object.fromEntries(
    Object.entries(asked).map(([name, request]) => [
      `${round}.${name}`,
      { name, request: request as JsonObject },
    ]),
  );
}

/** Those that are still to be answered. */
export function openOf(questions: Questions): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(
    Object.entries(questions)
      .filter(([, { response }]) => response === undefined)
      .map(([key, { request }]) => [key, request]),
  );
}

/** What the tool gets when all of them are answered: its own names. */
export function answersOf(questions: Questions): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(
    Object.values(questions).flatMap(({ name, response }) =>
      response === undefined ? [] : [[name, response]],
    ),
  );
}

/** What is wrong with an answer to this question; undefined for nothing. Elicitation, sampling and roots are known. */
function wrongWith({ request }: Question, response: unknown): string | undefined {
  if (typeof response !== "object" || response === null || Array.isArray(response)) return "is no object";
  const given = response as JsonObject;
  switch (request["method"]) {
    case "elicitation/create":
      return ["accept", "decline", "cancel"].includes(given["action"] as string)
        ? undefined
        : "is no ElicitResult: its action is accept, decline or cancel";
    case "sampling/createMessage": {
      const isMessage = typeof given["model"] === "string" && typeof given["role"] === "string";
      return isMessage && typeof given["content"] === "object" && given["content"] !== null
        ? undefined
        : "is no CreateMessageResult: it has role, model and content";
    }
    case "roots/list":
      return Array.isArray(given["roots"]) ? undefined : "is no ListRootsResult: it has roots";
    default:
      return undefined;
  }
}

/**
 * The questions with the client's answers to those that are open; undefined where there is no answer to any. What is not
 * asked, or not any more, is passed over. One answer that does not fit, and none is taken.
 */
export function answered(
  questions: Questions,
  responses: JsonObject,
): { readonly questions: Questions } | { readonly failure: Failure } | undefined {
  const fresh = Object.entries(questions).filter(
    ([key, { response }]) => response === undefined && Object.hasOwn(responses, key),
  );
  for (const [key, question] of fresh) {
    const wrong = wrongWith(question, responses[key]);
    if (wrong !== undefined) return { failure: notTheInput(key, wrong) };
  }
  if (fresh.length === 0) return undefined;
  const given = fresh.map(([key, question]) => [
    key,
    { ...question, response: responses[key] as JsonObject },
  ]);
  return { questions: { ...questions, ...(Object.fromEntries(given) as Questions) } };
}
