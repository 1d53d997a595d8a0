/** Mistakes of the first hour in a Worker's configuration, on workerd itself: each names what to bind, and where. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post } from "../support/mcp.ts";
import { initialize, request } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { bundleWorker, freePort, runWorkerd, type Workerd } from "../support/workerd.ts";

interface Setup {
  /** Bindings, as workerd's configuration writes them. */
  readonly bindings: readonly string[];
  /** False for a class as `new_classes`, or no migration at all, makes it. */
  readonly sql?: boolean;
  readonly date?: string;
  /** Its code, in `test/worker`. */
  readonly entry?: string;
}

const to = (name: string, className: string): string =>
  `(name = "${name}", durableObjectNamespace = (className = "${className}", serviceName = "main"))`;
const text = (name: string, value: string): string => `(name = "${name}", text = "${value}")`;
const SESSION = to("MCP_SESSION", "McpSession");
const HUB = to("MCP_HUB", "McpHub");

async function start({
  bindings,
  sql = true,
  date = "2026-08-01",
  entry = "bound.ts",
}: Setup): Promise<Workerd> {
  const port = await freePort();
  const classes = ["McpSession", "McpHub", "Other"].map(
    (name) =>
      `(className = "${name}", uniqueKey = "${name}", enableSql = ${name === "McpSession" ? sql : true})`,
  );
  return runWorkerd({
    files: { "worker.js": await bundleWorker(new URL(`../worker/${entry}`, import.meta.url).pathname) },
    ports: [port],
    config: (storage) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "storage", disk = (path = ${JSON.stringify(storage)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "${date}",
  durableObjectNamespaces = [${classes.join(", ")}],
  durableObjectStorage = (localDisk = "storage"),
  bindings = [${bindings.join(", ")}],
);
`,
  });
}

const messagesOf = (server: Workerd, type: string): unknown[] =>
  server.events().flatMap((event) => (event.type === type ? [event["message"]] : []));

describe.each<[what: string, setup: Setup, said: string, told: RegExp]>([
  [
    "the session's class is bound under another name",
    { bindings: [to("MCP_SESSIONS", "McpSession"), HUB, text("KEY", "s3cret")] },
    "the binding that `namespace` reads is missing: bind the class McpSession",
    /^`namespace\(env\)` gave undefined: bind the class McpSession in the Worker's configuration \(durable_objects\.bindings\) under the name that `namespace` reads; env has: (?=.*MCP_SESSIONS)(?=.*MCP_HUB)(?=.*KEY)/,
  ],
  [
    "nothing is bound at all",
    { bindings: [] },
    "the binding that `namespace` reads is missing: bind the class McpSession",
    /env has: nothing$/,
  ],
  [
    "another Worker is bound",
    { bindings: [`(name = "MCP_SESSION", service = "main")`, HUB] },
    "the binding that `namespace` reads is missing: bind the class McpSession",
    /^`namespace\(env\)` gave a Fetcher: /,
  ],
  [
    "a text is bound",
    { bindings: [text("MCP_SESSION", "s3cret"), HUB] },
    "the binding that `namespace` reads is missing: bind the class McpSession",
    /^`namespace\(env\)` gave a string: /,
  ],
  [
    "the hub is given and not bound",
    { bindings: [SESSION] },
    "the binding that `hub` reads is missing: bind the class McpHub",
    /^`hub\(env\)` gave undefined: bind the class McpHub .+; env has: MCP_SESSION$/,
  ],
])("where %s", (_, setup, said, told) => {
  let server: Workerd;
  beforeAll(async () => (server = await start(setup)));
  afterAll(() => server.close());

  test("each request is answered with what is missing, the log says it once, and /health sees it", async () => {
    for (const body of [initialize(), request("tools/list")]) {
      const answer = await post(`${server.url}/mcp`, body);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([500, null]);
      expect(await answer.json()).toMatchObject({
        error: { code: -32603, message: `Internal error: ${said}` },
      });
    }
    const health = await fetch(`${server.url}/health`);
    expect([health.status, await health.json()]).toEqual([
      503,
      { status: "error", message: said, timestamp: expect.any(String) as string },
    ]);
    await eventually(() => expect(messagesOf(server, "setup.error")).toEqual([expect.stringMatching(told)]));
    expect(messagesOf(server, "request.error")).toEqual([]);
    expect(server.lines.join("\n")).not.toContain("s3cret");
  });
});

test("a class without SQLite (`new_classes`, or no migration): told once, in workerd's words, and not to try again", async () => {
  const server = await start({ bindings: [SESSION, HUB], sql: false });
  try {
    for (let n = 0; n < 3; n++) {
      const answer = await post(`${server.url}/mcp`, initialize());
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([500, null]);
      expect(await answer.text()).toContain("it needs a migration that names it in new_sqlite_classes");
    }
    expect((await fetch(`${server.url}/sse`, { headers: { Accept: "text/event-stream" } })).status).toBe(500);
    await eventually(() =>
      expect(server.lines.filter((line) => line.includes("SQL is not enabled"))).toHaveLength(1),
    );
    expect(messagesOf(server, "setup.error")).toEqual([expect.stringContaining("new_sqlite_classes")]);
  } finally {
    await server.close();
  }
});

describe.each([
  { maker: "createMcpWorker", entry: "bound.ts" },
  { maker: "durableHost", entry: "hosted.ts" },
])("with $maker", ({ entry }) => {
  test.each(["2022-03-01", "2024-04-02"])(
    "a compatibility date that is too old (%s) ends the start",
    async (date) => {
      await expect(start({ bindings: [SESSION, HUB], date, entry })).rejects.toThrow(
        "Holdfast needs the compatibility_date 2024-04-03 or later in the Worker's configuration",
      );
    },
  );

  test("the oldest one starts", async () => {
    const server = await start({ bindings: [SESSION, HUB], date: "2024-04-03", entry });
    await server.close();
  });
});

test("the oldest compatibility date serves", async () => {
  const server = await start({ bindings: [SESSION, HUB], date: "2024-04-03" });
  try {
    expect((await post(`${server.url}/mcp`, initialize())).status).toBe(200);
  } finally {
    await server.close();
  }
});

test("another class under the binding is named, and not tried again", async () => {
  const server = await start({ bindings: [to("MCP_SESSION", "Other"), HUB] });
  try {
    const answer = await post(`${server.url}/mcp`, initialize());
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([500, null]);
    expect(await answer.text()).toContain("the class that is bound for `namespace` is not McpSession");
  } finally {
    await server.close();
  }
});

test("all bound: variables are read by themselves, those that are none are told once", async () => {
  const variables = [
    text("HOLDFAST_RETRY_MS", "777"),
    text("HOLDFAST_RETRYMS", "5"),
    text("HOLDFAST_PORT", "1"),
  ];
  const server = await start({ bindings: [SESSION, HUB, to("HOLDFAST_OBJECT", "McpHub"), ...variables] });
  try {
    expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ status: "ok" });
    const info = (await (await fetch(`${server.url}/info`)).json()) as { settings: object };
    expect(info.settings).toMatchObject({ retryMs: 777 });
    await eventually(() =>
      expect(messagesOf(server, "setup.unknown_variable")).toEqual([
        "HOLDFAST_RETRYMS is no setting; did you mean HOLDFAST_RETRY_MS?",
      ]),
    );
    expect(messagesOf(server, "setup.error")).toEqual([]);
  } finally {
    await server.close();
  }
});
