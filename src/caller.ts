/** Who calls. @module */

/**
 * Who calls, as the router established it. Travels with every call; only `principal` is ever stored.
 *
 * What is made on demand is a function here, and no object that is made for each call is given a getter, or
 * a function by assignment: V8 puts those among what lives long, and all that they reach stays until the
 * next full collection. It took a quarter of a call, and pauses of 8 ms. Objects of which each session has its
 * own have no getters either: the second literal of a shape with getters becomes a dictionary, larger and slower.
 */
export interface Caller {
  /** The subject that `authorize` returned; undefined where no hook is set. */
  readonly principal: string | undefined;
  /** The SDK's `authInfo`, handed to tools as it came. */
  readonly authInfo: unknown;
  /** The hub's topic that the request belongs to, where the router shards by one. */
  readonly topic?: string | undefined;
  readonly url: string;
  /** Request headers, names in lower case. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** The POST itself, where it did not have to cross to another isolate. */
  readonly original?: (() => Request) | undefined;
}
