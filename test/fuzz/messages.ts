/** JSON-RPC messages as fast-check draws them: valid ones, nearly valid ones, and hostile ones. @module */
import * as fc from "fast-check";

/** Texts that have been trouble somewhere: frames, separators, prototypes, half surrogates, other servers' ids. */
const TEXTS = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "keepalive.x",
  "keepalive.1\n\nid: S.1\ndata: {}\n\n",
  ":!end done",
  "a\nb",
  "data: x\r\n\r\n",
  "\u2028\u2029\u0085",
  "\ud800",
  "x\udc00y",
  "\u0000\u001b[2J\u009b",
  "😀é",
  "1",
  "0",
  "null",
  "../../etc/passwd",
  "' OR 1=1 --",
  "%00%0d%0a",
  "file:///a",
  "test://static/text",
  "io.modelcontextprotocol/related-task",
];

const NUMBERS = [0, -0, 1, -1, 1.5, 1e21, 1e308, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 2 ** 31, 4294967296];

const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.nat(12_000).map((length) => "x".repeat(length)) },
);

const scalar = fc.oneof(text, fc.constantFrom(...NUMBERS), fc.boolean(), fc.constant(null), fc.integer());

/** `[[[…]]]`, as deep as parsers take it. */
const deep = fc
  .constantFrom(10, 200, 3000)
  .map((depth) => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown);

const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constant([]) },
);

/** Mostly what belongs there, now and then anything at all. */
function mostly<T>(right: fc.Arbitrary<T>, weight: number = 6): fc.Arbitrary<unknown> {
  return fc.oneof({ weight, arbitrary: right as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: value });
}

/** Members that may be there or not; absent ones are left out, as JSON does. */
function record(members: { readonly [name: string]: fc.Arbitrary<unknown> }): fc.Arbitrary<object> {
  return fc.record(members, { requiredKeys: [], noNullPrototype: true });
}

const id = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 1_000_000 }) },
  { weight: 2, arbitrary: text },
  { weight: 1, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: value },
);

const token = mostly(fc.oneof(fc.integer(), text), 3);
const meta = mostly(
  record({
    progressToken: token,
    "io.modelcontextprotocol/related-task": mostly(record({ taskId: mostly(text) }), 2),
    "io.modelcontextprotocol/protocolVersion": mostly(fc.constantFrom("2025-11-25", "2026-07-28"), 2),
    __proto__: value,
    other: value,
  }),
  3,
);

const METHODS = [
  "ping",
  "initialize",
  "tools/list",
  "tools/call",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "prompts/list",
  "prompts/get",
  "logging/setLevel",
  "completion/complete",
  "server/discover",
  "subscriptions/listen",
  "tasks/get",
  "sampling/createMessage",
  "notifications/initialized",
  "notifications/progress",
  "notifications/roots/list_changed",
  "no/such/method",
];

/** What a call may ask of the example server and be answered for at once. */
const TOOLS = ["echo", "counter", "whoami", "no-such-tool", "__proto__", ""];

const params = mostly(
  fc.oneof(
    record({ _meta: meta }),
    record({
      name: mostly(fc.constantFrom(...TOOLS)),
      arguments: mostly(record({ text: mostly(text), by: mostly(fc.integer()), other: value })),
      _meta: meta,
      task: mostly(record({ ttl: scalar }), 2),
    }),
    record({
      uri: mostly(text),
      cursor: scalar,
      level: mostly(fc.constantFrom("info", "debug")),
      _meta: meta,
    }),
    record({
      protocolVersion: mostly(
        fc.constantFrom("2025-11-25", "2025-06-18", "2025-03-26", "2026-07-28", "DRAFT-9"),
      ),
      capabilities: mostly(record({ elicitation: value, experimental: value, roots: value })),
      clientInfo: mostly(record({ name: mostly(text), version: mostly(text), icons: value })),
      _meta: meta,
    }),
    record({ requestId: id, progressToken: token, progress: scalar, reason: scalar }),
  ),
  10,
);

/** What has no business at the top of a message. */
const stray = record({ timestamp: scalar, sessionId: scalar, __proto__: value, jsonrpcVersion: scalar });
const jsonrpc = fc.oneof({ weight: 30, arbitrary: fc.constant("2.0") }, { weight: 1, arbitrary: value });

const call = fc
  .tuple(
    record({ result: fc.constantFrom(null, {}, 1), error: fc.constantFrom(null, {}), params }),
    fc.record({ jsonrpc, id, method: mostly(fc.constantFrom(...METHODS), 20) }),
    stray,
    fc.nat(5),
  )
  .map(([members, head, extra, kind]) => ({
    ...head,
    // Twins and strays in a third of them each.
    ...(kind === 0 ? members : "params" in members ? { params: members.params } : {}),
    ...(kind === 1 ? extra : {}),
  }));

/** Without the id, which JSON leaves out where it is undefined. */
const announcement = call.map((one) => ({ ...one, id: undefined }));

const response = fc
  .tuple(
    fc.record({ jsonrpc, id }),
    fc.oneof(
      record({ result: mostly(record({ _meta: meta, action: scalar, roots: value })) }),
      record({
        error: mostly(record({ code: mostly(fc.integer()), message: mostly(text), data: value })),
        result: fc.constant(null),
      }),
    ),
    stray,
    fc.boolean(),
  )
  .map(([head, body, extra, isStrange]) => ({ ...head, ...body, ...(isStrange ? extra : {}) }));

/** One message. */
export const message: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 10, arbitrary: call },
  { weight: 2, arbitrary: announcement },
  { weight: 2, arbitrary: response },
  { weight: 1, arbitrary: value },
);

/** A body: one message or a batch, as JSON; now and then cut short or no JSON at all. */
export const body: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: message.map((one) => JSON.stringify(one)) },
  { weight: 2, arbitrary: fc.array(message, { maxLength: 4 }).map((all) => JSON.stringify(all)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(message, fc.nat(200))
      .map(([one, length]) => (JSON.stringify(one) ?? "").slice(0, length)),
  },
  { weight: 1, arbitrary: text },
);
