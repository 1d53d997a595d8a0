/** The router under middleware that touches responses: a stream stays a stream, and what middleware sets is sent. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { compress } from "hono/compress";
import { setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { logger } from "hono/logger";
import { poweredBy } from "hono/powered-by";
import { prettyJSON } from "hono/pretty-json";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { timeout } from "hono/timeout";
import { timing } from "hono/timing";
import { describe, expect, onTestFinished, test } from "vitest";
import { createLocalMcp } from "../../src/local/index.ts";
import { ACCEPT_BOTH, answerOf } from "../support/mcp.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { readEvents } from "../support/sse.ts";
import { createTestServer } from "../support/test-server.ts";
import { within } from "../support/wait.ts";

/** Middleware that reads every answer: a log of bodies, a checksum. */
const reads = (seen: string[]): MiddlewareHandler => {
  return async (c, next) => {
    await next();
    seen.push(await c.res.clone().text());
  };
};

/** Middleware that makes a response of its own around the one it got. */
const wraps: MiddlewareHandler = async (c, next) => {
  await next();
  c.res = new Response(c.res.body, c.res);
};

const silent = logger(() => {});
const STACKS: Readonly<Record<string, MiddlewareHandler[]>> = {
  etag: [etag()],
  "cors, etag": [cors(), etag()],
  "a reader": [reads([])],
  "a reader around cors": [reads([]), cors()],
  "cors around a reader": [cors(), reads([])],
  "a reader around a wrapper": [reads([]), wraps],
  compress: [compress({ threshold: 0 })],
  "compress whatever the type": [compress({ threshold: 0, contentTypeFilter: /./ })],
  timeout: [timeout(1000)],
  "all that Hono has": [
    requestId(),
    silent,
    timing(),
    poweredBy(),
    secureHeaders(),
    bodyLimit({ maxSize: 100_000 }),
    prettyJSON(),
    compress({ threshold: 0 }),
    cors(),
    etag(),
  ],
};

function mount(stack: readonly MiddlewareHandler[]): Hono {
  const mcp = createLocalMcp({ createServer: createTestServer, onEvent() {} });
  onTestFinished(mcp.close);
  const app = new Hono();
  for (const middleware of stack) app.use(middleware);
  app.route("/nested/mount", mcp.router);
  return app;
}

const HEADERS = { "Content-Type": "application/json", Accept: ACCEPT_BOTH, "Accept-Encoding": "gzip" };

const ask = async (app: Hono, body: unknown, more = {}): Promise<Response> =>
  app.request("/nested/mount/mcp", {
    method: "POST",
    headers: { ...HEADERS, ...more },
    body: JSON.stringify(body),
  });

async function open(app: Hono): Promise<Record<string, string>> {
  const opened = await ask(app, initialize());
  return { "Mcp-Session-Id": opened.headers.get("mcp-session-id") ?? "" };
}

describe.each(Object.entries(STACKS))("under %s", (_name, stack) => {
  test("the first bytes of a GET come at once, and messages as they are sent", async () => {
    const app = mount(stack);
    const session = await open(app);
    const response = await within(
      Promise.resolve(
        app.request("/nested/mount/mcp", { headers: { ...session, Accept: "text/event-stream" } }),
      ),
      "the response",
    );
    expect(response.headers.get("content-encoding")).toBeNull();
    const stream = readEvents(response);
    await ask(app, toolCall("emit", { count: 2, on: "standalone" }), session);
    expect(await stream.messages(2)).toHaveLength(2);
    stream.leave();
  });

  test("a call that streams streams", async () => {
    const app = mount(stack);
    const session = await open(app);
    const call = toolCall("sleep", { ms: 600_000, steps: 6_000 }, { progressToken: "p" });
    const stream = readEvents(await within(ask(app, call, session), "the response"));
    expect(await stream.message()).toMatchObject({ method: "notifications/progress" });
    stream.leave();
  });
});

test("a reader of answers reads those in JSON whole, and of a stream nothing", async () => {
  const seen: string[] = [];
  const app = mount([reads(seen)]);
  const session = await open(app);
  const listed = await ask(app, request("tools/list"), session);
  expect(seen.at(-1)).toContain('"tools"');
  expect(await answerOf(listed)).toHaveProperty("result.tools");
  const stream = readEvents(await ask(app, toolCall("emit", { count: 1 }), session));
  expect(seen.at(-1)).toBe("");
  expect(await stream.rest()).toHaveLength(2);
});

test.each([
  ["JSON", (c: Context) => c.req.json()],
  ["text", (c: Context) => c.req.text()],
  ["bytes", (c: Context) => c.req.arrayBuffer()],
])("a body that middleware has read as %s is read again", async (_kind, read) => {
  const app = mount([
    async (c, next) => {
      if (c.req.method === "POST") await read(c);
      await next();
    },
  ]);
  const session = await open(app);
  const echo = toolCall("echo", { text: "é→😀" });
  const answer = await answerOf(await ask(app, echo, session));
  expect(answer).toMatchObject({ id: echo.id, result: { content: [{ text: "é→😀" }] } });
});

test("headers and cookies that middleware set before the router are on every answer; the router's own stay", async () => {
  const early: MiddlewareHandler = async (c: Context, next) => {
    c.header("X-Early", "1");
    c.header("Content-Type", "text/plain");
    setCookie(c, "a", "1");
    setCookie(c, "b", "2");
    await next();
  };
  const app = mount([early]);
  const session = await open(app);
  const answers = [
    await ask(app, initialize()),
    await ask(app, request("tools/list"), session),
    await ask(app, toolCall("emit", { count: 1 }), session),
    await ask(app, request("tools/list"), { "Mcp-Session-Id": "gone" }),
    await app.request("/nested/mount/mcp", { method: "DELETE", headers: session }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404, 204]);
  expect(answers.slice(0, 3).map(({ headers }) => headers.get("content-type"))).toEqual([
    "application/json",
    "application/json",
    "text/event-stream",
  ]);
  for (const { headers } of answers) {
    expect(headers.get("x-early")).toBe("1");
    expect(headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2; Path=/"]);
  }
});
