/** What the server asks of the user, one after another: forms, links, the words of a model, roots. @module */
import { signal } from "@preact/signals";
import { isObject, type Json, textIn } from "./types.ts";

/** Something that the server wants of the user. */
export interface Question {
  readonly n: number;
  /** `elicitation/create`, `sampling/createMessage` or `roots/list`. */
  readonly method: string;
  readonly params: Json;
  /** Answers it with a result, or with an error where the user will not. */
  readonly answer: (reply: Reply) => void;
}

/** What the user says to it. */
export type Reply =
  | { readonly result: Json }
  | { readonly error: { readonly code: number; readonly message: string } };

/** A server may ask this much at once; what is more is refused, since nobody could answer it. */
const MAX_WAITING = 20;
const METHODS = new Set(["elicitation/create", "sampling/createMessage", "roots/list"]);

/** What waits for the user, oldest first. */
export const questions = signal<readonly Question[]>([]);
let last = 0;

/** Asks the user. `signal` takes the question back: the server, or the session's end, has no more use for it. */
export function askUser(method: string, params: Json, taken: AbortSignal): Promise<Reply> {
  if (!METHODS.has(method)) {
    return Promise.resolve({ error: { code: -32601, message: "The console does not answer this" } });
  }
  if (questions.value.length >= MAX_WAITING) {
    return Promise.resolve({
      error: { code: -32000, message: "Too many questions are waiting for the user" },
    });
  }
  return new Promise((resolve, reject) => {
    const n = ++last;
    const settle = (): void => {
      questions.value = questions.value.filter((question) => question.n !== n);
      taken.removeEventListener("abort", withdraw);
    };
    const withdraw = (): void => {
      settle();
      reject(taken.reason as Error);
    };
    if (taken.aborted) return withdraw();
    taken.addEventListener("abort", withdraw);
    const answer = (reply: Reply): void => {
      settle();
      resolve(reply);
    };
    questions.value = [...questions.value, { n, method, params, answer }];
  });
}

/**
 * Asks the user all that a result asks for.
 * @throws where the questions are taken back
 */
export async function answersTo(inputRequests: unknown, signal: AbortSignal): Promise<Json> {
  const responses: Json = {};
  for (const [key, asked] of Object.entries(isObject(inputRequests) ? inputRequests : {})) {
    if (!isObject(asked)) continue;
    const params = isObject(asked["params"]) ? asked["params"] : {};
    const reply = await askUser(textIn(asked["method"]) ?? "", params, signal);
    // There is no error in place of an answer here: without one, the server asks again or does without.
    if ("result" in reply) responses[key] = reply.result;
    else throw new Error(reply.error.message);
  }
  return responses;
}
