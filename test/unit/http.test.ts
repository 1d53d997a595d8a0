import { afterEach, describe, expect, it, vi } from "vitest";
import { createBodyReader } from "../../src/http/body.ts";
import { recordOf, single } from "../../src/http/headers.ts";
import { acceptedAnswers, accepts, acceptsByName, isJson, isPlain } from "../../src/http/negotiate.ts";
import { createHostCheck, isOriginAllowed, preflightHeaders } from "../../src/http/origin.ts";
import { turnedAway } from "../../src/http/respond.ts";
import { tooManyBodies } from "../../src/jsonrpc/failures.ts";
import { parsePayload } from "../../src/jsonrpc/parse.ts";
import type { AllowedOrigins } from "../../src/option-checks.ts";
import { type HoldfastOptions, resolveOptions } from "../../src/options.ts";

it("turns each request of a batch away in an event of its own where its client reads event streams alone", async () => {
  const parsed = parsePayload(
    '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]',
    1000,
  );
  if ("failure" in parsed) throw new Error("it is a batch");
  const text = await turnedAway(tooManyBodies, parsed.payload, { accept: "sse" }).text();
  const events = text.split("\n\n").slice(0, -1);
  const ids = events.map(
    (event) => (JSON.parse(event.replace("event: message\ndata: ", "")) as { id: number }).id,
  );
  expect(ids).toEqual([1, 2]);
});

describe("Accept", () => {
  it.each([
    ["application/json, text/event-stream", "any"],
    ["text/event-stream;q=0.5,application/json;charset=utf-8", "any"],
    ["*/*", "any"],
    ["application/*, text/*", "any"],
    ["application/json", "json"],
    ["application/json, text/event-stream;q=0", "json"],
    ["text/event-stream", "sse"],
    ["TEXT/EVENT-STREAM", "sse"],
    ["text/html", undefined],
    ["application/jsonx", undefined],
    ["", undefined],
    [null, undefined],
  ])("%j means %j", (header, answers) => {
    expect(acceptedAnswers(header)).toBe(answers);
  });

  it.each([
    ["text/event-stream", true],
    ["application/json, Text/Event-Stream;q=0.5", true],
    ["text/event-stream;q=0", false],
    ["text/*", false],
    ["*/*", false],
    [null, false],
  ])("%j names the event stream: %j", (header, expected) => {
    expect(acceptsByName(header, "text/event-stream")).toBe(expected);
  });

  it("admits a type by its family", () => {
    expect(accepts("text/*", "text/event-stream")).toBe(true);
    expect(accepts("image/*", "text/event-stream")).toBe(false);
  });
});

describe("Content-Type", () => {
  it.each([
    ["application/json", true],
    ["application/json; charset=utf-8", true],
    ["Application/JSON", true],
    ["application/json, application/json", true],
    ["application/json; charset=utf-8, application/json", true],
    ["application/json, text/plain", false],
    ["application/jsonp", false],
    ["text/plain", false],
    [null, false],
  ])("%j is JSON: %j", (header, expected) => {
    expect(isJson(header)).toBe(expected);
  });
});

describe("Content-Encoding", () => {
  it.each([
    [null, true],
    ["", true],
    ["identity", true],
    ["Identity, identity", true],
    ["gzip", false],
    ["identity, gzip", false],
  ])("%j leaves the body as it is: %j", (header, expected) => {
    expect(isPlain(header)).toBe(expected);
  });
});

describe("a header that a proxy has doubled", () => {
  it.each([
    [null, null],
    ["a", "a"],
    ["a, a", "a"],
    ["a,a , a", "a"],
    ["a, b", "a, b"],
    ["a,", "a,"],
    [", ", ""],
  ])("%j counts as %j", (header, expected) => {
    expect(single(header)).toBe(expected);
  });
});

describe("Host", () => {
  const allowed = (
    url: string,
    options: HoldfastOptions = {},
    headers: Record<string, string> = {},
  ): boolean => createHostCheck(resolveOptions(options))({ url, headers: new Headers(headers) } as Request);

  it.each<[url: string, expected: boolean]>([
    ["http://localhost:8787/mcp", true],
    ["http://a.localhost/mcp", true],
    ["http://127.0.0.1/mcp", true],
    ["http://[::1]:1/mcp", true],
    ["http://[2001:db8::1]/mcp", true],
    ["http://10.0.0.7:8787/mcp", true],
    ["http://mcp/mcp", true],
    ["http://mcp.svc.cluster.local/mcp", true],
    ["http://mcp.internal/mcp", true],
    ["https://mcp.example/mcp", true],
    ["http://mcp.example/mcp", false],
    ["http://localhost.evil.example/mcp", false],
    ["http://127.0.0.1.evil.example/mcp", false],
    ["http://evillocal/mcp", true],
    ["http://evil.notlocal/mcp", false],
    ["http://a b/mcp", false],
    ["http://localhost:99999/mcp", false],
    ["/mcp", false],
  ])("of %s is allowed by default: %j", (url, expected) => {
    expect(allowed(url)).toBe(expected);
  });

  it("is what the user says it is", () => {
    const url = "http://mcp.example:8787/mcp";
    expect(allowed(url, { publicUrl: "https://mcp.example/base" })).toBe(true);
    expect(allowed(url, { allowedHosts: ["MCP.example"] })).toBe(true);
    expect(allowed(url, { allowedHosts: ["*.example"] })).toBe(true);
    expect(allowed(url, { allowedHosts: ["*"] })).toBe(true);
    expect(allowed(url, { allowedHosts: ["other.example"] })).toBe(false);
    expect(allowed("https://mcp.example/mcp", { allowedHosts: ["other.example"] })).toBe(false);
    expect(allowed("http://localhost/mcp", { allowedHosts: ["other.example"] })).toBe(true);
  });

  it("may be a public name behind a proxy, unless names are listed", () => {
    const url = "http://mcp.example/mcp";
    for (const name of [
      "X-Forwarded-For",
      "X-Forwarded-Proto",
      "Forwarded",
      "Via",
      "X-Real-IP",
      "CF-Connecting-IP",
    ]) {
      expect(allowed(url, {}, { [name]: "x" })).toBe(true);
      expect(allowed(url, { allowedHosts: [] }, { [name]: "x" })).toBe(false);
    }
  });
});

describe("Origin", () => {
  const allowed = (origin: string, url: string, allowedOrigins: AllowedOrigins = []): boolean =>
    isOriginAllowed(origin, new URL(url), resolveOptions({ allowedOrigins }));

  it.each([
    ["https://mcp.example", "https://mcp.example/mcp", true],
    ["http://localhost:5173", "http://localhost:8787/mcp", true],
    ["http://127.0.0.1:5173", "http://localhost:8787/mcp", true],
    ["http://[::1]:1", "http://127.0.0.1:8787/mcp", true],
    ["https://other.example", "https://mcp.example/mcp", false],
    ["http://localhost:5173", "https://mcp.example/mcp", false],
    ["https://localhost.evil.example", "http://localhost:8787/mcp", false],
    ["null", "http://localhost:8787/mcp", false],
    ["https://mcp.example.evil.example", "https://mcp.example/mcp", false],
    // A name that was rebound to this address is same-origin, over http.
    ["http://evil.example:8787", "http://evil.example:8787/mcp", false],
  ])("%s calling %s: %j", (origin, url, expected) => {
    expect(allowed(origin, url)).toBe(expected);
  });

  it("takes a list or a function for the rest", () => {
    expect(allowed("https://app.example", "https://mcp.example/mcp", ["https://app.example"])).toBe(true);
    expect(allowed("https://b.example", "https://mcp.example/mcp", ["https://app.example"])).toBe(false);
    expect(allowed("https://b.example", "https://mcp.example/mcp", ["*"])).toBe(true);
    expect(
      allowed("https://b.example", "https://mcp.example/mcp", (origin) => origin.endsWith("b.example")),
    ).toBe(true);
  });
});

describe("preflight", () => {
  it("allows the transport's headers, and a tool's own parameters by name", () => {
    const headers = preflightHeaders("GET, POST, DELETE", "content-type, mcp-param-region, x-other");
    const names = headers["Access-Control-Allow-Headers"]?.split(", ") ?? [];
    expect(names).toEqual(
      expect.arrayContaining(["Authorization", "Last-Event-ID", "Mcp-Session-Id", "mcp-param-region"]),
    );
    expect(names).not.toContain("x-other");
  });
});

describe("headers as a record", () => {
  it("are all there, by names in lower case, doubled ones joined", () => {
    const headers = new Headers([
      ["Accept", "a/b"],
      ["X-Twice", "1"],
      ["x-twice", "2"],
      ["constructor", "own"],
    ]);
    expect(recordOf(headers)).toEqual({ accept: "a/b", "x-twice": "1, 2", constructor: "own" });
  });

  it("give no prototype to what reads them", () => {
    const record = recordOf(new Headers([["__proto__", "x"]]));
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
  });
});

describe("reading a body", () => {
  const LIMITS = { maxBodyBytes: 200_000, maxBodyBytesInFlight: 200_000, bodyTimeoutMs: 1000 };
  const reader = createBodyReader(LIMITS);
  const text = (request: Request, limit = 100): Promise<unknown> =>
    reader.read(request, limit, (read) => ({ text: read }));
  const post = (body: BodyInit, headers: Record<string, string> = {}): Request =>
    new Request("https://mcp.example", { method: "POST", body, headers, duplex: "half" } as RequestInit);
  const chunked = (...chunks: Uint8Array[]): Request =>
    post(
      new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      }),
    );
  /** A body that does not come, and whether it was let go of. */
  const withheld = (
    headers: Record<string, string> = {},
    ...chunks: Uint8Array[]
  ): { request: Request; cancelled: () => boolean } => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
      },
      cancel: () => void (cancelled = true),
    });
    return { request: post(body, headers), cancelled: () => cancelled };
  };
  afterEach(() => void vi.useRealTimers());

  it("joins characters that were cut apart", async () => {
    const bytes = new TextEncoder().encode('"é🪢"');
    const parts = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await text(chunked(...parts))).toEqual({ text: '"é🪢"' });
  });

  it("stops at the limit, whatever the header says", async () => {
    expect(await text(chunked(new Uint8Array(60), new Uint8Array(60)))).toMatchObject({
      failure: { status: 413 },
    });
    expect(await text(post("x", { "content-length": "101" }))).toMatchObject({ failure: { status: 413 } });
    expect(await text(chunked(new Uint8Array(100).fill(32)))).toEqual({ text: " ".repeat(100) });
  });

  it("takes what is not UTF-8 for no JSON", async () => {
    expect(await text(chunked(Uint8Array.of(0x22, 0xff, 0x22)))).toMatchObject({
      failure: { status: 400, error: { code: -32700 } },
    });
  });

  it.each([{ "content-length": "10" }, {}] as Record<string, string>[])(
    "gives a body %j its time, and no more, and lets go of it",
    async (headers) => {
      vi.useFakeTimers();
      const { request, cancelled } = withheld(headers, Uint8Array.of(32));
      const outcome = vi.fn();
      void text(request).then(outcome);
      await vi.advanceTimersByTimeAsync(999);
      expect(outcome).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(outcome.mock.lastCall).toMatchObject([
        { failure: { status: 408, headers: { Connection: "close" } } },
      ]);
      if (!("content-length" in headers)) expect(cancelled()).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("leaves no timer behind a body that came", async () => {
    vi.useFakeTimers();
    await text(post("{}", { "content-length": "2" }));
    expect(vi.getTimerCount()).toBe(0);
  });

  describe("of which there are many", () => {
    const large = { "content-length": "100000" };
    const status = async (request: Request): Promise<unknown> => {
      const read = (await reader.read(request, 200_000, () => "read")) as
        | { failure: { status: number } }
        | "read";
      return read === "read" ? read : read.failure.status;
    };

    it("takes announced bytes before they come, and others as they come; gives all back", async () => {
      vi.useFakeTimers();
      const first = status(withheld(large).request);
      const second = status(withheld({}, new Uint8Array(90_000)).request);
      await vi.advanceTimersByTimeAsync(0);
      expect(await status(post("x".repeat(70_000), { "content-length": "70000" }))).toBe(503);
      // Chunked, it is refused where it has grown too large.
      expect(await status(chunked(new Uint8Array(70_000)))).toBe(503);
      // What is small finds room until there is none at all.
      expect(await status(post("x".repeat(9000), { "content-length": "9000" }))).toBe("read");
      expect(await status(post("x".repeat(11_000), { "content-length": "11000" }))).toBe(503);
      await vi.advanceTimersByTimeAsync(1000);
      expect(await Promise.all([first, second])).toEqual([408, 408]);
      expect(await status(post("x".repeat(200_000), { "content-length": "200000" }))).toBe("read");
    });

    it("counts a body until it was handed on, and not when its parsing throws", async () => {
      const throws = reader.read(post("x".repeat(200_000), { "content-length": "200000" }), 200_000, () => {
        throw new Error("no parser");
      });
      await expect(throws).rejects.toThrow("no parser");
      expect(await status(post("x".repeat(200_000), { "content-length": "200000" }))).toBe("read");
    });

    it("leaves small ones a share of the room that large ones cannot take", async () => {
      const own = createBodyReader({
        maxBodyBytes: 100_000,
        maxBodyBytesInFlight: 400_000,
        bodyTimeoutMs: 1000,
      });
      vi.useFakeTimers();
      const read = async (request: Request): Promise<unknown> => own.read(request, 100_000, () => "read");
      for (let n = 0; n < 3; n++) void read(withheld(large).request);
      expect(await read(post("x".repeat(66_000), { "content-length": "66000" }))).toMatchObject({
        failure: { status: 503 },
      });
      expect(await read(post("x".repeat(60_000), { "content-length": "60000" }))).toBe("read");
      await vi.advanceTimersByTimeAsync(1000);
    });
  });
});
