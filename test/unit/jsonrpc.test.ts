import { describe, expect, it } from "vitest";
import { isInitialize, MAX_BATCH, parsePayload } from "../../src/jsonrpc/messages.ts";

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
