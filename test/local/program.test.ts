/** The server as a program, on Node, Deno and Bun: how it starts, what it says, how it ends. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { PortInUseError, serve } from "../../src/local/node.ts";
import { BUN, startBun } from "../support/bun.ts";
import { DENO, startDeno } from "../support/deno.ts";
import { openSession, post } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { NODE, startNode } from "../support/node.ts";
import { BIN, ENTRY, type ProcessServer, run } from "../support/process.ts";
import { eventually, within } from "../support/wait.ts";
import { freePort } from "../support/workerd.ts";
import { freshFile } from "./served.ts";

const RUNTIMES = [
  { name: "node", command: NODE, start: startNode, script: ["npm", "run", "--silent", "start:node", "--"] },
  { name: "deno", command: DENO, start: startDeno, script: [join(BIN, "deno"), "task", "--quiet", "start"] },
  { name: "bun", command: BUN, start: startBun, script: [join(BIN, "bun"), "run", "--silent", "start:bun"] },
];

/** One line for people: no stack, no dump of an error. */
function expectOneLine(text: string): void {
  expect(text.trimEnd().split("\n")).toHaveLength(1);
  expect(text).not.toMatch(/^\s+at |Error:|\{/m);
}

describe.each(RUNTIMES)("on $name", ({ command, start, script }) => {
  let server: ProcessServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  const refused = (args: readonly string[], vars = {}): ReturnType<typeof run> =>
    run([...command, ENTRY, ...args], { vars });

  describe("a start that fails ends with 1 and one line", () => {
    test("a busy port: with the port, the flag and the variable (P-01)", async () => {
      const { port } = new URL(server.url);
      const { code, stdout, stderr } = await refused(["--port", port, "--db", freshFile()]);
      expect(code).toBe(1);
      expectOneLine(stderr);
      expect(stderr).toContain(port);
      expect(stderr).toContain("--port");
      expect(stderr).toContain("HOLDFAST_PORT");
      expect(stdout).toBe("");
    });

    test("a database file that another process has: the other goes on", async () => {
      const session = await openSession(server.url);
      const { code, stderr } = await refused(["--port", "0", "--db", server.database]);
      expect(code).toBe(1);
      expectOneLine(stderr);
      expect(stderr).toContain(`${server.database} is in use by another process`);
      expect(await session.tool("counter")).toBe("1");
    });

    test.each([
      [["--port", "x"], {}, "--port must be a port from 0 to 65535, not x"],
      [["--port", "65536"], {}, "--port must be"],
      [[], { HOLDFAST_PORT: "-1" }, "HOLDFAST_PORT must be"],
      [["--port", "0"], { HOLDFAST_RETRY_MS: "soon" }, "HOLDFAST_RETRY_MS must be"],
      [["--prot", "1"], {}, "--prot"],
    ])("%j with %j", async (args, vars, message) => {
      const { code, stderr } = await refused(args, vars);
      expect(code).toBe(1);
      expectOneLine(stderr);
      expect(stderr).toContain(message);
    });
  });

  test("of two that start at once on a file, one serves and the other says why it does not", async () => {
    const database = freshFile();
    const outcomes = await Promise.all(
      [1, 2].map(async () => {
        const [port, child] = [await freePort(), new AbortController()];
        const ended = run([...command, ENTRY, "--port", String(port), "--db", database], {
          signal: child.signal,
        });
        const serving = within(untilServing(port, child.signal), "a start").then(() => "serving" as const);
        const outcome = await Promise.race([ended, serving]);
        return { outcome, port, end: () => (child.abort(), ended) };
      }),
    );
    onTestFinished(async () => void (await Promise.all(outcomes.map(({ end }) => end()))));
    const [winner, loser] = outcomes.toSorted(({ outcome }) => (outcome === "serving" ? -1 : 1));
    expect(winner?.outcome).toBe("serving");
    expect(loser?.outcome).toMatchObject({ code: 1, stderr: expect.stringContaining("in use by another") });
    expect(await (await openSession(`http://127.0.0.1:${winner?.port}`)).tool("counter")).toBe("1");
  });

  test("the flag goes over the variable, and the variable is read (P-02, P-03)", async () => {
    const [flag, variable] = [await freePort(), await freePort()];
    for (const [args, vars, expected] of [
      [[], { HOLDFAST_PORT: String(variable) }, variable],
      [["--port", String(flag)], { HOLDFAST_PORT: String(variable) }, flag],
    ] as const) {
      const child = new AbortController();
      const ended = run([...command, ENTRY, ...args], { vars, signal: child.signal });
      await within(untilServing(expected, child.signal), "a start");
      child.abort();
      expect((await ended).stdout).toContain(`Listening on http://127.0.0.1:${expected}/mcp`);
    }
  });

  test("`--help` tells of all flags and variables, by the script too", async () => {
    for (const invocation of [[...command, ENTRY], script]) {
      const { code, stdout } = await run([...invocation, "--help"]);
      expect(code).toBe(0);
      for (const word of ["--port", "--host", "--db", "HOLDFAST_PORT", "HOLDFAST_HOST", "HOLDFAST_DB"]) {
        expect(stdout).toContain(word);
      }
    }
  });

  test("without a file, one line says that sessions end with the process", async () => {
    const port = await freePort();
    const child = new AbortController();
    const ended = run([...command, ENTRY, "--port", String(port)], { signal: child.signal });
    await within(untilServing(port, child.signal), "a start");
    child.abort();
    const { stderr } = await ended;
    expect(stderr).toContain('"type":"storage.memory"');
    expectOneNotice(stderr);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s ends streams with a hint to come back, and exits with 0 (P-30)",
    async (signal) => {
      await server.restart();
      const session = await openSession(server.url);
      const standalone = await session.get();
      const call = await session.stream(toolCall("sleep", { ms: 600_000 }));
      await standalone.next();
      const ended = server.end(signal);
      await standalone.rest();
      expect(standalone.text).toMatch(/^id: \S+\nretry: 3000\ndata: \n\n$/);
      expect(await call.rest()).toMatchObject([{ error: { data: { reason: "interrupted" } } }]);
      expect(await within(ended, "its end", 5000)).toBe(0);
      await expect(fetch(server.url)).rejects.toThrow("fetch failed");
      await server.restart();
      expect(await session.tool("counter")).toBe("1");
    },
  );

  test("killed and started again, it keeps its sessions, their state and what waits for them", async () => {
    const session = await openSession(server.url);
    expect(await session.tool("counter", { by: 5 })).toBe("5");
    await session.tool("emit", { count: 3, on: "standalone" });
    await session.tool("settle");
    await server.kill();
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
    await server.restart();
    expect(await session.tool("counter")).toBe("6");
    const stream = await session.get();
    expect((await stream.messages(3)).map(({ params }) => params?.["data"])).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
    stream.leave();
  });

  test("a server that fails on its own, its session gone, ends nobody else's session", async () => {
    const [gone, other] = [await openSession(server.url), await openSession(server.url)];
    await gone.tool("stray");
    await gone.fetch("DELETE");
    await eventually(() => expect(server.lines.join("\n")).toContain("Unhandled: "));
    expect(await other.tool("counter")).toBe("1");
  });

  test("it binds the loopback address alone", async () => {
    const { port } = new URL(server.url);
    await expect(post(`http://[::1]:${port}/mcp`, {})).rejects.toThrow("fetch failed");
    await expect(fetch(`http://127.0.0.2:${port}/health`)).rejects.toThrow("fetch failed");
  });
});

describe("serve, in a program of one's own", () => {
  const answer = { fetch: () => new Response("ok") };

  test("takes a free port for 0, and tells which (P-31)", async () => {
    const server = await serve({ ...answer, port: 0 });
    onTestFinished(server.close);
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect(await (await fetch(server.url)).text()).toBe("ok");
  });

  test("rejects where the port is taken, and leaves the process be", async () => {
    const { port, close } = await serve({ ...answer, port: 0 });
    onTestFinished(close);
    const second = serve({ ...answer, port });
    await expect(second).rejects.toBeInstanceOf(PortInUseError);
    await expect(second).rejects.toMatchObject({ port, message: `Port ${port} is already in use` });
  });

  test("cuts what does not end by itself", async () => {
    const server = await serve({ fetch: () => new Response(new ReadableStream()), port: 0 });
    const response = await fetch(server.url);
    await within(server.close(), "the end of the server");
    await expect(response.text()).rejects.toThrow("terminated");
  });

  test("closes once, however often it is asked to", async () => {
    let closed = 0;
    const server = await serve({ ...answer, port: 0, onClose: () => void (closed += 1) });
    await Promise.all([server.close(), server.close()]);
    await server.close();
    expect(closed).toBe(1);
  });
});

/** Waits until the port answers, or the process is over. */
async function untilServing(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/health`)).body?.cancel();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function expectOneNotice(stderr: string): void {
  const notices = stderr.split("\n").filter((line) => line.includes("Sessions are kept in memory"));
  expect(notices).toHaveLength(1);
}
