import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { peekRequestId } from "../../src/jsonrpc/envelope.ts";
import { isInitialize } from "../../src/jsonrpc/messages.ts";
import { MAX_BATCH, parsePayload } from "../../src/jsonrpc/parse.ts";
import { LIGHT, MOST_DEPTH, weigh } from "../../src/jsonrpc/weight.ts";

const request = { jsonrpc: "2.0", id: 1, method: "ping" };

describe("parsing a body", () => {
  it.each([
    ["a request", request],
    ["a request with a string id", { ...request, id: "a" }],
    ["a request with params", { ...request, params: { a: 1 } }],
    ["a notification", { jsonrpc: "2.0", method: "notifications/initialized" }],
    ["a result", { jsonrpc: "2.0", id: 1, result: {} }],
    ["an error", { jsonrpc: "2.0", id: 1, error: { code: 1, message: "no" } }],
    [
      "an error about a message without a readable id",
      { jsonrpc: "2.0", id: null, error: { code: 1, message: "no" } },
    ],
  ])("takes %s", (_, message) => {
    expect(parsePayload(JSON.stringify(message))).toEqual({ payload: { batch: false, messages: [message] } });
  });

  it.each([
    ["no JSON", "{", -32700],
    ["nothing", "", -32700],
    ["a string", '"x"', -32600],
    ["null", "null", -32600],
    ["another version", '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
    ["a null id", '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ["an object for an id", '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
    ["params that are no object", '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32600],
    ["neither method nor result", '{"jsonrpc":"2.0","id":1}', -32600],
    ["an empty batch", "[]", -32600],
    ["a batch with a bad entry", `[${JSON.stringify(request)},1]`, -32600],
    ["initialize in a batch", `[${JSON.stringify({ ...request, method: "initialize" })}]`, -32600],
    ["too large a batch", JSON.stringify(Array.from({ length: MAX_BATCH + 1 }, () => request)), -32600],
  ])("refuses %s", (_, text, code) => {
    expect(parsePayload(text)).toMatchObject({ failure: { status: 400, error: { code } } });
  });

  it("keeps a batch of one a batch", () => {
    const parsed = parsePayload(JSON.stringify([request]));
    expect(parsed).toEqual({ payload: { batch: true, messages: [request] } });
  });

  it("knows an initialize", () => {
    expect(isInitialize({ batch: false, messages: [{ jsonrpc: "2.0", id: 1, method: "initialize" }] })).toBe(
      true,
    );
    expect(isInitialize({ batch: false, messages: [{ jsonrpc: "2.0", method: "initialize" }] })).toBe(false);
  });
});

describe("the door", () => {
  const call = (more: object): string =>
    JSON.stringify({ jsonrpc: "2.0", id: 7, method: "tools/call", ...more });

  it.each<[what: string, given: object, passes: object]>([
    ["members that nobody knows", { ...request, x: 1, timestamp: 2 }, request],
    ["a null result and a null error beside a method", { ...request, result: null, error: null }, request],
    [
      "a null error beside a result",
      { jsonrpc: "2.0", id: 1, result: {}, error: null },
      { jsonrpc: "2.0", id: 1, result: {} },
    ],
    [
      "a null result and a null method beside an error",
      {
        jsonrpc: "2.0",
        id: 1,
        method: null,
        result: null,
        error: { code: 1, message: "no", data: null, x: 1 },
      },
      { jsonrpc: "2.0", id: 1, error: { code: 1, message: "no", data: null } },
    ],
    [
      "unknown members of params, _meta and result are not its business",
      { ...request, params: { x: 1, _meta: { y: null } } },
      { ...request, params: { x: 1, _meta: { y: null } } },
    ],
  ])("drops %s", (_, given, passes) => {
    expect(parsePayload(JSON.stringify(given))).toStrictEqual({
      payload: { batch: false, messages: [passes] },
    });
  });

  it.each<[more: object, code: number, path: string]>([
    [{ params: null }, -32600, "params must"],
    [{ params: "x" }, -32600, "params must"],
    [{ params: [] }, -32600, "params must"],
    [{ params: { _meta: null } }, -32602, "params._meta must"],
    [{ params: { _meta: [] } }, -32602, "params._meta must"],
    [{ params: { _meta: { progressToken: null } } }, -32602, "params._meta.progressToken must"],
    [{ params: { _meta: { progressToken: {} } } }, -32602, "params._meta.progressToken must"],
    [{ params: { _meta: { progressToken: 1.5 } } }, -32602, "params._meta.progressToken must"],
    [{ params: { _meta: { progressToken: 2 ** 53 } } }, -32602, "params._meta.progressToken must"],
    [{ params: { _meta: { progressToken: "x".repeat(1025) } } }, -32602, "1024 bytes"],
    [{ params: { _meta: { progressToken: "x\udc00" } } }, -32602, "without half surrogates"],
    [{ params: { _meta: { "io.modelcontextprotocol/related-task": {} } } }, -32602, "related-task"],
    [{ jsonrpc: "1.0" }, -32600, "jsonrpc must"],
    [{ method: 17 }, -32600, "method must"],
    [{ method: undefined, params: {} }, -32600, "a method, a result or an error"],
    [{ result: {} }, -32600, "result must not stand beside method"],
    [{ error: { code: 1, message: "" } }, -32600, "error must not stand beside method"],
    [{ method: undefined }, -32600, "a method, a result or an error"],
    [
      { method: "resources/subscribe", params: { uri: "é".repeat(4097) } },
      -32602,
      "params.uri must have at most 8192 bytes",
    ],
    [{ method: "resources/unsubscribe", params: { uri: "x".repeat(8193) } }, -32602, "params.uri"],
    [{ method: "resources/read", params: { uri: "x".repeat(8193) } }, -32602, "params.uri"],
    [
      {
        method: "subscriptions/listen",
        params: { notifications: { resourceSubscriptions: ["a", "x".repeat(8193)] } },
      },
      -32602,
      "params.notifications.resourceSubscriptions[1]",
    ],
  ])("refuses %j under the request's id, with the member's path", (more, code, path) => {
    expect(parsePayload(call(more))).toEqual({
      id: 7,
      failure: expect.objectContaining({
        status: 400,
        error: { code, message: expect.stringContaining(path) },
      }),
    });
  });

  it.each<[message: object, path: string]>([
    [{ id: null, method: "ping" }, "id must"],
    [{ id: 2 ** 53, method: "ping" }, "id must"],
    [{ id: true, method: "ping" }, "id must"],
    // It would be answered as U+FFFD, which is nobody's.
    [{ id: "\ud800", method: "ping" }, "without half surrogates"],
    [{ id: "x".repeat(1025), method: "ping" }, "id must have at most 1024 bytes"],
    [{ id: "é".repeat(513), method: "ping" }, "id must have at most 1024 bytes"],
    // The id of an answer is the server's: under it the client would take the refusal for an answer of its own.
    [{ id: 1, result: 5 }, "result must"],
    [{ id: 1, result: {}, error: {} }, "side by side"],
    [{ id: 1, result: { _meta: 1 } }, "result._meta must"],
    [{ id: 1, result: { _meta: { progressToken: [] } } }, "result._meta.progressToken must"],
    [{ id: [], result: {} }, "id must"],
    [{ id: 1, error: "no" }, "error must"],
    [{ id: 1, error: { code: "1", message: "" } }, "error.code must"],
    [{ id: 1, error: { code: 1.5, message: "" } }, "error.code must"],
    [{ id: 1, error: { code: 1 } }, "error.message must"],
  ])("refuses %j under no id", (message, path) => {
    expect(parsePayload(JSON.stringify({ jsonrpc: "2.0", ...message }))).toEqual({
      id: null,
      failure: expect.objectContaining({
        status: 400,
        error: { code: -32600, message: expect.stringContaining(path) },
      }),
    });
  });

  it("refuses a fraction for an id under that very id", () => {
    expect(parsePayload('{"jsonrpc":"2.0","id":1.5,"method":"ping"}')).toMatchObject({
      id: 1.5,
      failure: { status: 400, error: { code: -32600 } },
    });
  });

  it("says which message of a batch is at fault", () => {
    const parsed = parsePayload(JSON.stringify([request, { ...request, params: { _meta: null } }]));
    expect(parsed).toMatchObject({
      id: null,
      failure: {
        status: 400,
        error: { code: -32602, message: expect.stringMatching(/params\._meta .*message 2/) },
      },
    });
  });

  it("bounds what initialize makes a session keep", () => {
    const params = { capabilities: { experimental: { x: "é".repeat(600) } } };
    const text = JSON.stringify({ ...request, method: "initialize", params });
    expect(parsePayload(text, 2000)).toHaveProperty("payload");
    expect(parsePayload(text, 1024)).toMatchObject({
      id: 1,
      failure: { status: 413, error: { message: expect.stringMatching(/1024.*maxInitializeBytes/) } },
    });
    const nested = `{"x":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
    expect(
      parsePayload(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":${nested}}`, 65_536),
    ).toMatchObject({
      id: 1,
      failure: { status: 400, error: { code: -32600, message: expect.stringMatching(/1000 levels/) } },
    });
  });

  it("nests as deep as may be, and no deeper", () => {
    const nested = (depth: number, value: string): string =>
      `{"jsonrpc":"2.0","id":7,"method":"x","params":{"x":${"[".repeat(depth - 2)}${value}${"]".repeat(depth - 2)}}}`;
    expect(parsePayload(nested(MOST_DEPTH, "1"))).toMatchObject({ payload: { batch: false } });
    expect(parsePayload(nested(MOST_DEPTH + 1, "1"))).toMatchObject({
      id: 7,
      failure: { status: 400, error: { code: -32600 } },
    });
    // Brackets of a text are none.
    expect(parsePayload(nested(3, JSON.stringify('\\"['.repeat(5000))))).toHaveProperty("payload");
  });
});

describe("what a text weighs", () => {
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { depthSize: "large", withCrossShrink: true },
      fc.jsonValue({ maxDepth: 1 }),
      fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "\\", ",", "a", "\u2028") }),
      fc.array(tie("json"), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: fc.constantFrom("[", '"', "\\", "k") }), tie("json"), { maxKeys: 4 }),
    ),
  }));
  const depthOf = (value: unknown): number =>
    typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

  it("has the depth of its value, whatever is in its strings", () => {
    // Texts that are not worth a look are made so long that they are.
    const filling = "x".repeat(LIGHT);
    fc.assert(
      fc.property(json, fc.boolean(), (value, isSpaced) => {
        const text = JSON.stringify([filling, value], null, isSpaced ? 1 : 0);
        expect(weigh(text).depth).toBe(1 + depthOf(value));
      }),
    );
  });

  it("is nothing for a short one, its length for one string, and many times its length for what is many objects", () => {
    expect(weigh("[".repeat(LIGHT))).toEqual({ bytes: 0, depth: 0 });
    expect(weigh(JSON.stringify("x".repeat(100_000))).bytes).toBeLessThan(101_000);
    const many = `[${"{},".repeat(30_000)}{}]`;
    // As Node's heap has it: 64 bytes each.
    expect(weigh(many).bytes).toBeGreaterThan(30_000 * 64);
  });
});

describe("the id of a request that is too large", () => {
  it.each<[head: string, id: string | number | null]>([
    ['{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arg', 7],
    [' {\n "method" : "a\\"id\\":9" ,\n "id" : "a\\n" , "params" : {', "a\n"],
    ['{"id":-1,"params":{"', -1],
    ['{"jsonrpc":"2.0","method":"x","params":{"id":7,"method":"', null],
    ['{"jsonrpc":"2.0","id":7,"result":{"', null],
    ['{"jsonrpc":"2.0","id":12', null],
    ['{"jsonrpc":"2.0","id":1.5,"method":"x","params":{', null],
    ['{"jsonrpc":"2.0","id":99999999999999999999,"method":"x",', null],
    ['[{"jsonrpc":"2.0","id":7,"method":"x","params":{', null],
    ["", null],
  ])("in %j is %j", (head, id) => {
    expect(peekRequestId(head)).toBe(id);
  });
});
