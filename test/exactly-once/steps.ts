/** What may happen to a session, as sequences that fast-check draws. @module */
import * as fc from "fast-check";

/** What ends an isolate: an exception or deploy, the platform's eviction, SIGKILL to the whole process. */
export type Disturbance = "abort" | "evict" | "kill";

/** A call that sends messages of these sizes, on its own stream or on the standalone one. */
export interface Burst {
  readonly do: "burst";
  readonly on: "request" | "standalone";
  readonly sizes: readonly number[];
  readonly intervalMs: number;
}

export type Step =
  | Burst
  /** A GET for a stream; where one is open it takes over. `bare`: without an event id, while the old one is read on. */
  | { readonly do: "attach"; readonly which: number; readonly bare: boolean; readonly waits: boolean }
  /** The client drops its connection, after some further bytes. */
  | { readonly do: "leave"; readonly which: number; readonly afterBytes: number }
  /** The client stops reading, or goes on. */
  | { readonly do: "stall"; readonly which: number }
  | { readonly do: "read"; readonly which: number }
  /** Nothing, for a moment. */
  | { readonly do: "idle"; readonly ms: number }
  | { readonly do: Disturbance };

export interface Sequence {
  readonly version: string;
  readonly steps: readonly Step[];
}

/** `fc.record`, with objects that print as they are written. */
const plain = <T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });

const size = fc.oneof(
  { weight: 8, arbitrary: fc.nat(200) },
  { weight: 3, arbitrary: fc.nat(20_000) },
  { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 600_000 }) },
);
const sizes = fc.oneof(
  { weight: 4, arbitrary: fc.array(size, { minLength: 1, maxLength: 6 }) },
  // A burst of small ones: the spin guard and the window must let it pass.
  { weight: 1, arbitrary: fc.array(fc.nat(100), { minLength: 30, maxLength: 120 }) },
);

/** 0 is the standalone stream, the rest are calls in the order they were made. */
const which = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 }));

const burst: fc.Arbitrary<Step> = plain({
  do: fc.constant("burst" as const),
  on: fc.constantFrom("request", "standalone"),
  sizes,
  intervalMs: fc.constantFrom(0, 0, 1, 5, 20),
});
const attach: fc.Arbitrary<Step> = plain({
  do: fc.constant("attach" as const),
  which,
  bare: fc.boolean(),
  waits: fc.boolean(),
});
const leave: fc.Arbitrary<Step> = plain({
  do: fc.constant("leave" as const),
  which,
  afterBytes: fc.oneof(fc.constant(0), fc.nat(3000)),
});
const pace: fc.Arbitrary<Step> = plain({ do: fc.constantFrom("stall" as const, "read" as const), which });
const idle: fc.Arbitrary<Step> = plain({
  do: fc.constant("idle" as const),
  ms: fc.constantFrom(0, 2, 10, 40),
});

/** Sequences with these disturbances. Each begins with a burst, so that there is something to lose. */
export function sequences(disturbances: readonly Disturbance[]): fc.Arbitrary<Sequence> {
  const disturbance: fc.Arbitrary<Step> = plain({ do: fc.constantFrom(...disturbances) });
  const step = fc.oneof(
    { weight: 5, arbitrary: burst },
    { weight: 4, arbitrary: attach },
    { weight: 3, arbitrary: leave },
    { weight: 2, arbitrary: pace },
    { weight: 4, arbitrary: idle },
    { weight: 2, arbitrary: disturbance },
  );
  return fc
    .tuple(
      fc.constantFrom("2025-06-18", "2025-11-25"),
      burst,
      fc.array(step, { minLength: 3, maxLength: 7 }),
      disturbance,
      fc.array(step, { minLength: 0, maxLength: 6 }),
    )
    .map(([version, first, before, middle, after]) => ({
      version,
      steps: [first, ...before, middle, ...after],
    }));
}
