import { describe, expect, it } from "vitest";
import { eventSink } from "../../src/event-sink.ts";
import type { Attach, Call } from "../../src/host.ts";
import { sessionNotFound } from "../../src/jsonrpc/failures.ts";
import {
  fits,
  READ_BY_ALL,
  reportUnreadable,
  stamp,
  Unreadable,
  versionFrom,
  versionOf,
  WIRE,
  WIRE_HEADER,
} from "../../src/wire/version.ts";
import * as wireAttach from "../../worker/wire-attach.ts";
import * as wireReply from "../../src/wire/reply.ts";
import * as callWire from "../../src/wire/call.ts";
import * as wire from "../../worker/wire.ts";
import { altered } from "../support/altered.ts";

const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { line: "a\nb" } });

const caller = {
  principal: "ann",
  authInfo: { token: "t", scopes: ["a"] },
  topic: "tenant",
  url: "https://holdfast.test/mcp",
  headers: () => ({ accept: "é → 😀" }),
};

const call: Call = {
  opens: false,
  transport: "streamable",
  caller,
  text,
  payload: { batch: false, messages: [] },
  accept: "any",
  connectionId: () => "c1",
};

const attach: Attach = {
  opens: false,
  transport: "http+sse",
  caller,
  connectionId: "c1.2",
  lastEventId: "a.b",
  redial: true,
};

const asRequest = (headers: Record<string, string>): Request =>
  new Request("https://session/attach", {
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "Upgrade")),
  });

describe("a version", () => {
  it.each([
    [null, 0],
    [undefined, 0],
    ["0", 0],
    [String(WIRE), WIRE],
    [WIRE, WIRE],
    [READ_BY_ALL, WIRE],
  ])("said as %j is read as %j", (said, version) => expect(versionFrom(said)).toBe(version));

  it.each([WIRE + 1, WIRE - 2, "", "1.5", "one", Number.NaN].filter((said) => said !== 0 && said !== ""))(
    "said as %j is not read",
    (said) => expect(() => versionFrom(said)).toThrow(Unreadable),
  );

  it("of a reply is that of its request: one from before there were versions says nothing", () => {
    expect(stamp(new Response(), 0).headers.has(WIRE_HEADER)).toBe(false);
    expect(versionOf(stamp(new Response(), WIRE))).toBe(WIRE);
    expect(versionOf(stamp(new Response(), READ_BY_ALL))).toBe(WIRE);
  });
});

describe("a call", () => {
  const encoded = callWire.encodeCall(call);
  const [envelope = ""] = encoded.split("\n");

  const LIMIT = 65_536;
  const letIn = (decoded: ReturnType<typeof callWire.decodeCall>): Call => {
    if ("failure" in decoded) throw new Error(`refused: ${decoded.failure.error.message}`);
    return decoded;
  };
  const decodeCall = (body: string): Call => letIn(callWire.decodeCall(body, LIMIT));
  const decodeMessage = (message: string): Call => letIn(wire.decodeMessage(message, LIMIT));

  it("arrives as it was sent, by request and by message", () => {
    for (const decoded of [decodeCall(encoded), decodeMessage(wire.encodeMessage(encoded))]) {
      const { caller: from, connectionId, payload, ...rest } = decoded;
      expect(rest).toEqual({ opens: false, transport: "streamable", accept: "any", text });
      expect({ ...from, headers: from.headers() }).toEqual({ ...caller, headers: caller.headers() });
      expect(connectionId()).toBe("c1");
      expect(payload.messages).toEqual([JSON.parse(text)]);
    }
  });

  it("says what its client cannot take, and nothing of most", () => {
    const quirks = { noRetry: true, needsStream: true };
    expect(decodeCall(callWire.encodeCall({ ...call, ...quirks }))).toMatchObject(quirks);
    const usual = callWire.encodeCall({ ...call, noRetry: false, needsStream: false });
    expect(usual).toBe(callWire.encodeCall(call));
  });

  it("of a caller without principal, token or topic arrives as one", () => {
    const bare = { principal: undefined, authInfo: undefined, url: "https://h", headers: () => ({}) };
    const { caller: from } = decodeCall(callWire.encodeCall({ ...call, caller: bare }));
    expect([from.principal, from.authInfo, from.topic]).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    ["opens", "no"],
    ["opens", undefined],
    ["transport", "carrier pigeon"],
    ["accept", undefined],
    ["noRetry", "yes"],
    ["needsStream", 1],
    ["connectionId", 7],
    ["caller", undefined],
    ["caller", []],
    ["caller.principal", null],
    ["caller.principal", { admin: true }],
    ["caller.topic", 7],
    ["caller.url", undefined],
    ["caller.headers", "accept: all"],
    ["caller.headers.accept", 7],
    ["caller.isResourceUrl", true],
    ["caller.isResourceUrl", null],
  ])("is not read with %s %j", (path, value) => {
    expect(() => decodeCall(`${altered(envelope, path, value)}\n${text}`)).toThrow(Unreadable);
  });

  it.each([
    ["nothing", ""],
    ["no text", envelope],
    ["no envelope", `\n${text}`],
    ["an envelope that is not JSON", `{\n${text}`],
    ["an envelope that is no object", `[]\n${text}`],
  ])("is not read with %s", (_, body) => {
    expect(() => decodeCall(body)).toThrow(Unreadable);
  });

  it.each([
    ["that is not JSON", "{"],
    ["that is no message", '{"jsonrpc":"1.0"}'],
  ])("with a text %s is refused as at the edge, whose door may be of another version", (_, text) => {
    expect(callWire.decodeCall(`${envelope}\n${text}`, LIMIT)).toHaveProperty("failure.status", 400);
  });

  it("of a token for a resource has it as a URL where it was one, and as a string where that", () => {
    const resource = new URL("https://mcp.example.com/mcp");
    for (const given of [resource, resource.href]) {
      const encoded = callWire.encodeCall({ ...call, caller: { ...caller, authInfo: { resource: given } } });
      expect(decodeCall(encoded).caller.authInfo).toEqual({ resource: given });
    }
  });

  it("that begins a session by its key says so", () => {
    const keyed = { version: "2025-06-18" };
    expect(decodeCall(callWire.encodeCall({ ...call, keyed })).keyed).toEqual(keyed);
    expect(() => decodeCall(`${altered(envelope, "keyed", "x")}\n${text}`)).toThrow(Unreadable);
  });

  it.each([
    ["", "x"],
    [`${WIRE + 1} `, ""],
    ["1", ""],
  ])("is not read with its version as %j", (version) => {
    expect(() => decodeMessage(`${version}${encoded}`)).toThrow(Unreadable);
  });
});

describe("an attach", () => {
  const read = (
    headers: Record<string, string>,
    prepared = wireAttach.createPrepared(),
  ): Attach | undefined => wireAttach.decodeAttach(asRequest(headers), prepared);
  const plain = (from: Attach | undefined): unknown =>
    from && { ...from, caller: { ...from.caller, headers: from.caller.headers() } };
  const sent = { ...attach, caller: { ...caller, headers: caller.headers() } };

  it("arrives as it was sent, in a header", () => {
    const { headers, prepare } = wireAttach.encodeAttach(attach);
    expect(prepare).toBeUndefined();
    expect(plain(read(headers))).toEqual(sent);
    expect(plain(read(wireAttach.encodeAttachWhole(attach)))).toEqual(sent);
  });

  const large = { ...attach, caller: { ...caller, authInfo: { groups: "g".repeat(300_000) } } };

  it("that is too large for a header is sent ahead, and taken once", () => {
    const prepared = wireAttach.createPrepared();
    const { headers, prepare = "" } = wireAttach.encodeAttach(large);
    for (const value of Object.values(headers)) expect(value.length).toBeLessThanOrEqual(8192);
    prepared.put(prepare);
    expect(read(headers, prepared)?.caller.authInfo).toEqual(large.caller.authInfo);
    expect(read(headers, prepared)).toBeUndefined();
  });

  it("that was sent ahead is kept among 32 at most: the newest", () => {
    const prepared = wireAttach.createPrepared();
    for (let n = 1; n <= 40; n++) prepared.put(`c${n}\n{}`);
    expect(
      Array.from({ length: 40 }, (_, n) => prepared.take(`c${n + 1}`)).map((kept) => kept === "{}"),
    ).toEqual(Array.from({ length: 40 }, (_, n) => n >= 8));
  });

  it.each([
    ["opens", 1],
    ["transport", undefined],
    ["connectionId", undefined],
    ["lastEventId", 7],
    ["redial", undefined],
    ["noRetry", 1],
    ["caller.headers", null],
  ])("is not read with %s %j", (path, value) => {
    const json = decodeURIComponent(wireAttach.encodeAttachWhole(attach)["holdfast-attach"] ?? "");
    const headers = { "holdfast-attach": encodeURIComponent(altered(json, path, value)) };
    expect(() => read(headers)).toThrow(Unreadable);
  });

  it.each([[{}], [{ "holdfast-attach": "%E0%A4%A" }], [{ "holdfast-attach": "{" }]])(
    "is not read from %j",
    (headers: Record<string, string>) => expect(() => read(headers)).toThrow(Unreadable),
  );
});

describe("a reply", () => {
  const refusal = { kind: "refused", failure: sessionNotFound, successor: "s2" } as const;
  const replies = [
    { kind: "accepted" },
    { kind: "json", body: '{"line":"a\nb"}', opened: false },
    { kind: "json", body: "", opened: true },
    refusal,
  ] as const;

  it.each(replies)("arrives as it was sent, by request and by message: $kind", async (reply) => {
    const said = wireReply.encodeAnswer(reply);
    // Without the members that are undefined, which do not cross.
    const expected = JSON.parse(JSON.stringify(reply)) as unknown;
    expect(typeof said === "string" && wireReply.decodeAnswer(said)).toEqual(expected);
    expect(await wireReply.decodeReply(stamp(wireReply.encodeReply(reply), WIRE))).toEqual(expected);
  });

  it("that is long for a message comes as a Response", async () => {
    const body = "é".repeat(wireReply.MOST_RPC + 1);
    const answer = wireReply.encodeAnswer({ kind: "json", body });
    if (typeof answer === "string") throw new Error("a string of two million bytes and more");
    expect(await wireReply.decodeReply(answer)).toEqual({ kind: "json", body, opened: false });
    expect(typeof wireReply.encodeAnswer({ kind: "json", body: body.slice(1) })).toBe("string");
  });

  it("with a stream says where it begins", async () => {
    const answer = wireReply.encodeAnswer(
      { kind: "streaming" },
      { body: new Blob(["frames"]).stream(), at: "a.0" },
    );
    if (typeof answer === "string") throw new Error("a stream is no string");
    expect(await wireReply.decodeReply(answer.clone())).toMatchObject({ kind: "stream", at: "a.0" });
    answer.headers.delete("holdfast-place");
    await expect(wireReply.decodeReply(answer)).rejects.toThrow(Unreadable);
  });

  it("of a status that is in no table says nothing", async () => {
    for (const status of [204, 404, 409, 500, 501, 503]) {
      expect(await wireReply.decodeReply(new Response(null, { status }))).toBeUndefined();
    }
  });

  it.each([
    ["kind", "json"],
    ["successor", 7],
    ["failure", undefined],
    ["failure.status", 99],
    ["failure.retryAfterMs", "soon"],
    ["failure.status", "404"],
    ["failure.error", null],
    ["failure.error.code", "-32001"],
    ["failure.error.message", undefined],
    ["failure.headers", "Retry-After: 1"],
  ])("that refuses is not read with %s %j", async (path, value) => {
    const body = altered(JSON.stringify(refusal), path, value);
    expect(() => wireReply.decodeAnswer(`${WIRE} refused\n${body}`)).toThrow(Unreadable);
    const response = new Response(body, { status: 409, headers: { "holdfast-refused": "1" } });
    await expect(wireReply.decodeReply(response)).rejects.toThrow(Unreadable);
  });

  it.each([[""], ["1"], ["1 odd\n"], ["json\n{}"], [`${WIRE + 1} json\n{}`], ["1 refused\n{"]])(
    "is not read from %j",
    (answer) => expect(() => wireReply.decodeAnswer(answer)).toThrow(Unreadable),
  );

  it("of another version is not read", async () => {
    const response = new Response("{}", { headers: { [WIRE_HEADER]: String(WIRE + 1) } });
    await expect(wireReply.decodeReply(response)).rejects.toThrow(Unreadable);
  });
});

describe("the end of a session", () => {
  const asPost = (body: string): Request => new Request("https://session/end", { method: "POST", body });

  it("arrives with who asks for it, and not without", async () => {
    const from = await callWire.decodeEnd(asPost(callWire.encodeEnd(caller)));
    expect({ ...from, headers: from.headers() }).toEqual({ ...caller, headers: caller.headers() });
    await expect(callWire.decodeEnd(asPost("{}"))).rejects.toThrow(Unreadable);
  });
});

it("what is unreadable is told with its version, and any other error is passed on", () => {
  const told: unknown[] = [];
  const emit = eventSink((event) => void told.push(event), "silent");
  reportUnreadable(emit, { at: "edge", what: "reply to post" }, new Unreadable("version 9", 9));
  expect(told).toEqual([
    {
      type: "wire.unreadable",
      level: "warn",
      time: expect.any(Number),
      at: "edge",
      what: "reply to post",
      version: 9,
      message: "version 9",
    },
  ]);
  expect(() => reportUnreadable(emit, { at: "edge", what: "reply to post" }, new Error("gone"))).toThrow(
    "gone",
  );
});

it("what fits goes on, and what does not is named", () => {
  expect(() => fits(true, "it")).not.toThrow();
  expect(() => fits(false, "the seal")).toThrow("the seal is not as it should be");
});
