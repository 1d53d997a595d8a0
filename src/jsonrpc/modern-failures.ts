/** How listeners and tasks are turned away (2026-07-28, SEP-2663). @module */
import { CODE, type Failure, failure, notNow, refused, RETRY_LATER, RETRY_SOON } from "./failure.ts";

/** `subscriptions/listen`: the principal's own doing. */
export const tooManyListeners = (limit: number): Failure =>
  notNow(429, `Too Many Requests: ${limit} listeners are open already under these credentials`, RETRY_SOON);

/** 503, for a second: no more `subscriptions/listen`, whoever asks. */
export const noListenerMore: Failure = notNow(
  503,
  "Service Unavailable: too many listeners are open at the same time; try again",
  RETRY_SOON,
);

/** 413: what is listened to is kept; `limit` in bytes. */
export const listensTooLong = (limit: number): Failure =>
  refused(413, `Payload Too Large: subscriptions/listen exceeds ${limit} bytes (maxListenBytes)`);

/** 400: more resources than one listener may name. */
export const listensToTooMuch = (limit: number): Failure =>
  failure(400, {
    code: CODE.invalidParams,
    message: `Invalid params: notifications.resourceSubscriptions holds at most ${limit} resources (maxSubscriptions)`,
  });

/** 400, -32021: the client does not say that it knows this extension, without which nothing can be had (2026-07-28). */
export const missingExtension = (name: string): Failure =>
  failure(400, {
    code: CODE.missingCapability,
    message: `Missing required client capability: the client must declare the extension ${name}`,
    data: { requiredCapabilities: { extensions: { [name]: {} } } },
  });

/** -32602: no such task. Another's is not found either (SEP-2663, "Protocol Errors"). */
export const taskNotFound: Failure = failure(200, {
  code: CODE.invalidParams,
  message: "Task not found: it has expired, or there never was one of this id",
});

/** -32602: what a client answers a task's question with is no answer to it. */
export const notTheInput = (key: string, why: string): Failure =>
  failure(200, {
    code: CODE.invalidParams,
    message: `Invalid params: inputResponses[${JSON.stringify(key)}] ${why}`,
  });

/** 400: more tasks than one listener may name. */
export const listensToTooManyTasks = (limit: number): Failure =>
  failure(400, {
    code: CODE.invalidParams,
    message: `Invalid params: notifications.taskIds holds at most ${limit} ids`,
  });

/** 429, for a minute: the principal's own doing. */
export const tooManyTasks = (limit: number): Failure =>
  notNow(
    429,
    `Too Many Requests: ${limit} tasks are kept already under these credentials; try again later`,
    RETRY_LATER,
  );

/** 503, for a minute: `maxTasks`. */
export const noTaskMore = (limit: number): Failure =>
  notNow(503, `Service Unavailable: ${limit} tasks are kept already; try again later`, RETRY_LATER);

/** 503, for a second: the task's object died with the question, more than once. */
export const taskUnreachable: Failure = notNow(
  503,
  "Service Unavailable: the task could not be reached; try again",
  RETRY_SOON,
);
