/** The embedding examples, as they stand: an app with middleware of its own, on every host, with every server. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startBun } from "../support/bun.ts";
import { startDeno } from "../support/deno.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { startNode } from "../support/node.ts";
import { readEvents } from "../support/sse.ts";
import { startWorkerd, type TestServer } from "../support/workerd.ts";

const example = (file: string): string =>
  new URL(`../../examples/embedding/${file}`, import.meta.url).pathname;
type Vars = Record<string, string>;
interface Host {
  readonly host: string;
  /** The app compresses its answers itself, with middleware. */
  readonly compresses: boolean;
  start(vars: Vars): Promise<TestServer>;
}
const HOSTS: readonly Host[] = [
  {
    host: "workerd",
    compresses: false,
    start: (vars) => startWorkerd({ vars, entry: example("worker.ts") }),
  },
  { host: "node", compresses: true, start: (vars) => startNode({ vars, entry: example("node.ts") }) },
  { host: "deno", compresses: false, start: (vars) => startDeno({ vars, entry: example("deno.ts") }) },
  { host: "bun", compresses: true, start: (vars) => startBun({ vars, entry: example("bun.ts") }) },
];
const SERVERS = ["sdk-v1", "sdk-v2", "mcp-lite"];

const ADA = { Authorization: "Bearer token-of-ada" };
const BEN = { Authorization: "Bearer token-of-ben" };
const PAGE = "https://app.example";

describe.each(HOSTS.flatMap((host) => SERVERS.map((name) => ({ ...host, name }))))(
  "$name on $host",
  ({ start, name, compresses }) => {
    let server: TestServer;
    let base: string;
    beforeAll(async () => {
      server = await start({ SERVER: name });
      base = `${server.url}/api/v1/ai`;
    });
    afterAll(() => server.close());

    test("an SDK client connects, lists, calls, and sees progress", async () => {
      const client = new Client({ name: "test", version: "0" });
      onTestFinished(() => client.close());
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${base}/mcp`), { requestInit: { headers: ADA } }),
      );
      expect(client.getServerVersion()?.name).toBe(name);
      const { tools } = await client.listTools();
      expect(tools.map((tool) => tool.name).toSorted()).toEqual(["count", "whoami"]);
      const progress: number[] = [];
      const result = await client.callTool(
        { name: "count", arguments: { to: 3 } },
        { onprogress: (update) => void progress.push(update.progress) },
      );
      expect(result.content).toEqual([{ type: "text", text: "counted to 3" }]);
      expect(progress).toEqual([1, 2, 3]);
    });

    test("the app's own users are the principals: a session is its user's alone", async () => {
      const session = await openSession(base, { headers: ADA });
      expect(await session.tool("whoami")).toBe("ada");
      const stolen = await post(`${base}/mcp`, toolCall("whoami"), { ...session.headers, ...BEN });
      expect(stolen.status).toBe(404);
      const nobody = await post(`${base}/mcp`, initialize());
      expect(nobody.status).toBe(401);
    });

    test("an event stream is never compressed nor held back; JSON is, where the app compresses", async () => {
      const session = await openSession(base, { headers: { ...ADA, "Accept-Encoding": "gzip" } });
      const opened = await session.fetch("GET");
      expect(opened.headers.get("content-encoding")).toBeNull();
      const stream = readEvents(opened);
      expect(await stream.next()).toBeDefined();
      stream.leave();

      const counting = await session.post(toolCall("count", { to: 2 }, { progressToken: "p" }));
      expect(counting.headers.get("content-type")).toBe("text/event-stream");
      expect(counting.headers.get("content-encoding")).toBeNull();
      expect(await readEvents(counting).rest()).toHaveLength(3);

      const listed = await session.post(request("tools/list"));
      if (compresses) expect(listed.headers.get("content-encoding")).toBe("gzip");
      expect(await answerOf(listed)).toMatchObject({ result: { tools: [{}, {}] } });
    });

    test("every answer carries the app's request id and its CORS headers", async () => {
      const session = await openSession(base, { headers: { ...ADA, Origin: PAGE } });
      const answers = [
        await session.post(request("tools/list")),
        await session.post(toolCall("count", { to: 1 }, { progressToken: "p" })),
        await session.fetch("GET"),
        await post(`${base}/mcp`, initialize(), { ...ADA, Origin: PAGE }),
        await post(`${base}/mcp`, request("tools/list"), { ...ADA, Origin: PAGE }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      for (const { headers, body } of answers) {
        expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
        expect(headers.get("access-control-allow-origin")).toBe(PAGE);
        expect(headers.get("access-control-expose-headers")).toMatch(/mcp-session-id/i);
        await body?.cancel();
      }
      const elsewhere = await post(`${base}/mcp`, initialize(), { ...ADA, Origin: "https://evil.example" });
      expect(elsewhere.status).toBe(403);
    });

    test("HTTP+SSE is served under the mount as well", async () => {
      const stream = readEvents(
        await fetch(`${base}/sse`, { headers: { ...ADA, Accept: "text/event-stream" } }),
      );
      expect(await stream.next()).toEqual({ type: "retry", ms: 3000 });
      const first = await stream.next();
      const endpoint = first?.type === "event" ? first.data : "";
      expect(endpoint).toMatch(/^\/api\/v1\/ai\/messages\?sessionId=[0-9a-f]{64}$/);
      const hello = initialize("2024-11-05");
      expect((await post(`${server.url}${endpoint}`, hello, ADA)).status).toBe(202);
      expect(await stream.message()).toMatchObject({ id: hello.id, result: { serverInfo: { name } } });
      stream.leave();
    });

    test("the app's other routes are as they were, beside the router and under it", async () => {
      expect(await (await fetch(server.url)).text()).toBe("An app of one's own");
      const me = await fetch(`${server.url}/api/me`, { headers: ADA });
      expect(await me.json()).toMatchObject({ user: "ada" });
      expect(await (await fetch(`${base}/models`, { headers: ADA })).json()).toHaveLength(3);
      expect((await fetch(`${server.url}/nowhere`)).status).toBe(404);
      expect((await fetch(`${server.url}/mcp`)).status).toBe(404);
    });

    test("a restart is nothing that the session notices", async () => {
      const session = await openSession(base, { headers: ADA });
      await server.restart();
      expect(await session.tool("whoami")).toBe("ada");
    });
  },
);
