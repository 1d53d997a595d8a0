/** The wall between our code and the user's: what theirs throws stays on their side. @module */

/**
 * Runs the user's code. What it throws, and what a promise that it returns rejects with, goes to `onError`;
 * neither reaches the caller, so no timer, no `finally` and no other user is hit by it.
 * @returns what `run` returned; undefined where it threw
 */
export function guard<T>(run: () => T, onError: (error: unknown) => void): T | undefined {
  try {
    const returned = run();
    if (isThenable(returned)) returned.then(undefined, onError);
    return returned;
  } catch (error) {
    onError(error);
    return undefined;
  }
}

/** True for a promise, of whatever make. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
