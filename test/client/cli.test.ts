/** The command line, by what it prints and how it ends: G-14 … G-16. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { within } from "../support/wait.ts";
import {
  ownServerProcess,
  type ProcessTarget,
  type RunningProcess,
  sdkServerProcess,
} from "./support/process-target.ts";
import { npmStart } from "./support/npm-start.ts";
import { NODE_BIN, type Program, runProgram } from "./support/program.ts";
import { startSseServer } from "./support/sse-server.ts";

/** Add a server program here, and all of this holds for it. */
const TARGETS: readonly ProcessTarget[] = [sdkServerProcess, ownServerProcess, npmStart];
const MAIN = new URL("../../src/client/bin.ts", import.meta.url).pathname;
const SESSION = ["--era", "session"];

const running: Program[] = [];
afterEach(() => {
  for (const program of running.splice(0)) program.kill("SIGKILL");
});

function holdfast(...args: string[]): Program {
  const program = runProgram([NODE_BIN, MAIN, ...args]);
  running.push(program);
  return program;
}

/** Runs to the end. */
async function finished(
  ...args: string[]
): Promise<{ code: number | null; text: string; errors: string; json: Record<string, unknown>[] }> {
  const program = holdfast(...args);
  const code = await within(program.exit, "the end of the program", 20_000);
  const json = args.includes("--json")
    ? program.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    : [];
  return { code, text: program.lines.join("\n"), errors: program.errors.join("\n"), json };
}

describe.each(TARGETS)("against $name", (target) => {
  let server: RunningProcess;
  beforeAll(async () => {
    server = await target.start();
  }, 90_000);
  afterAll(() => server.close());

  test("connects, says what was negotiated, lists the tools with their schemas, calls one", async () => {
    const { url } = server;
    const { code, text, errors } = await finished(
      "connect",
      url,
      ...SESSION,
      "--tool",
      "echo",
      "--args",
      '{"text":"hello there"}',
    );
    expect(errors).toBe("");
    expect(code).toBe(0);
    const lines = text.split("\n");
    expect(lines[0]).toBe(`Connecting to ${url} ...`);
    expect(lines[1]).toMatch(/^Connected in \d+\.\d{3} s$/);
    expect(text).toMatch(/^ {2}server +\S+ \S+$/m);
    expect(text).toMatch(/^ {2}protocol +2025-11-25 \(session\)$/m);
    expect(text).toMatch(/^ {2}session +[\w-]{32,}$/m);
    expect(text).toMatch(/^ {2}capabilities +.*\btools\b/m);
    expect(text).toMatch(/^Tools: \d+$/m);
    expect(text).toMatch(/^ {2}echo: .+\n {4}\{.*"type":"object".*\}$/m);
    expect(text).toMatch(/^Result of echo after \d+\.\d{3} s:\nhello there\nClosed\.$/m);
  });

  test("streams progress as it comes, as JSON for scripts", async () => {
    const { url } = server;
    const { code, json } = await finished(
      "connect",
      url,
      ...SESSION,
      "-t",
      "sleep",
      "-a",
      '{"ms":50,"steps":1}',
      "--json",
    );
    expect(code).toBe(0);
    expect(json.map(({ type }) => type)).toEqual([
      "connecting",
      "connected",
      "tools",
      "progress",
      "result",
      "closed",
    ]);
    expect(json[1]).toMatchObject({ url, era: "session", protocolVersion: "2025-11-25" });
    expect(json[1]?.["sessionId"]).toMatch(/^[\w-]{32,}$/);
    expect(json[3]).toMatchObject({ progress: 1, total: 1 });
    expect(json[4]).toMatchObject({
      tool: "sleep",
      isError: false,
      content: [{ type: "text", text: "slept" }],
    });
  });

  test("watches through SIGKILL and restart of the server, and reports each drop, resume and recovery", async () => {
    const program = holdfast("connect", server.url, ...SESSION, "--watch", "--ping", "200");
    await program.line(/^Watching/);
    for (const death of [1, 2]) {
      const from = program.lines.length;
      await server.kill();
      await program.line(/^Dropped: the standalone stream/, from);
      await program.line(/^No answer to ping/, from);
      await server.restart();
      if (!target.durable) {
        await program.line(/^Recovered: session [\w-]+ in place of [\w-]+, in \d+\.\d{3} s$/, from);
      }
      await program.line(/^Resumed: the standalone stream.*, after \d+\.\d{3} s and \d+ attempts?$/, from);
      expect(program.lines.filter((line) => line.startsWith("Recovered"))).toHaveLength(
        target.durable ? 0 : death,
      );
    }
    program.kill("SIGINT");
    expect(await within(program.exit, "the end of the watch")).toBe(0);
    expect(program.lines.at(-1)).toBe("Closed.");
    expect(program.errors).toEqual([]);
  });

  test("a call whose server dies and stays dead is an error, and the exit code says so", async () => {
    const args = ["-t", "sleep", "-a", '{"ms":600000,"steps":2000}', "--call-timeout", "3000", "--json"];
    const program = holdfast("connect", server.url, ...SESSION, ...args);
    await program.line(/"type":"progress"/);
    await server.kill();
    expect(await within(program.exit, "the end of the program")).toBe(1);
    const reports = program.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(reports.filter(({ type }) => type === "error")).toMatchObject([{ reason: "failed" }]);
    await server.restart();
  });

  test("an interrupt breaks a call off", async () => {
    const program = holdfast(
      "connect",
      server.url,
      ...SESSION,
      "-t",
      "sleep",
      "-a",
      '{"ms":600000,"steps":2000}',
    );
    await program.line(/^Progress/);
    program.kill("SIGINT");
    expect(await within(program.exit, "the end of the program")).toBe(130);
    expect(program.errors).toEqual(["[ERROR] interrupted"]);
  });
});

test("a tool's own error is printed as one, and is no failure of the program's", async () => {
  const server = await sdkServerProcess.start();
  const { code, text } = await finished("connect", server.url, ...SESSION, "-t", "no-such-tool");
  expect(text).toMatch(/^\[ERROR\] Result of no-such-tool after .+:\nno such tool: no-such-tool$/m);
  expect(code).toBe(0);
  await server.close();
});

test("ends when nobody reads on", async () => {
  const server = await sdkServerProcess.start();
  const program = holdfast("connect", server.url, ...SESSION, "--watch");
  await program.line(/^Watching/);
  program.readNoMore();
  await server.kill();
  expect(await within(program.exit, "the end of the program")).toBe(0);
  expect(program.errors).toEqual([]);
});

describe("the stateless era", () => {
  test("is what a server of both is spoken to in, and is watched by listening", async () => {
    const server = await ownServerProcess.start();
    const program = holdfast("connect", server.url, "--watch");
    await program.line(/^ {2}protocol +2026-07-28 \(modern\)$/);
    await program.line(/^ {2}session +none$/);
    await program.line(/^Watching/);
    await server.kill();
    await program.line(/^Dropped/);
    await server.restart();
    await program.line(/^Resumed: the standalone stream, after \d+\.\d{3} s and \d+ attempts?$/);
    program.kill("SIGTERM");
    expect(await within(program.exit, "the end of the watch")).toBe(0);
    await server.close();
  });
});

describe("HTTP+SSE", () => {
  test("is spoken where there is nothing else, and connected anew when it is lost", async () => {
    const server = await startSseServer();
    const program = holdfast("connect", server.url, "--watch");
    await program.line(/^ {2}protocol +\S+ \(legacy\)$/);
    await program.line(/^Watching/);
    await server.stop();
    await program.line(/^Dropped: the legacy stream/);
    await server.start();
    await program.line(/^Reconnected after \d+\.\d{3} s and \d+ attempts?$/);
    program.kill("SIGINT");
    expect(await within(program.exit, "the end of the watch")).toBe(0);
    await server.stop();
  });
});

describe("what cannot be done", () => {
  test.each([
    [["connect"], "missing required argument 'url'"],
    [["connect", "not a url"], "Not an http(s) URL."],
    [["connect", "ftp://x"], "Not an http(s) URL."],
    [["connect", "http://127.0.0.1:1", "--no-such-flag"], "unknown option '--no-such-flag'"],
    [["connect", "http://127.0.0.1:1", "--args", "[1]"], "Not a JSON object."],
    [["connect", "http://127.0.0.1:1", "--args", "{"], "Not a JSON object."],
    [["connect", "http://127.0.0.1:1", "--header", "no colon"], 'Not of the form "Name: value".'],
    [["connect", "http://127.0.0.1:1", "--timeout", "soon"], "Not a number of milliseconds."],
    [["connect", "http://127.0.0.1:1", "--era", "future"], "Allowed choices are modern, session, legacy."],
    [["no-such-command"], "unknown command 'no-such-command'"],
  ])("%j is refused, with the usage, and 1", async (args, words) => {
    const { code, errors } = await finished(...args);
    expect(errors).toContain(words);
    expect(errors).toContain("Usage: holdfast");
    expect(code).toBe(1);
  });

  test("help is no failure", async () => {
    const { code, text } = await finished("connect", "--help");
    expect(text).toContain("Usage: holdfast connect [options] <url>");
    for (const flag of ["--tool", "--args", "--header", "--era", "--timeout", "--watch", "--json"])
      expect(text).toContain(flag);
    expect(code).toBe(0);
  });

  test("a server that is not there: one error, on standard error, and 1", async () => {
    const { code, errors } = await finished("connect", "http://127.0.0.1:1/mcp");
    expect(errors).toMatch(/^\[ERROR\] Cannot connect to http:\/\/127\.0\.0\.1:1\/mcp: no answer \(.+\)$/);
    expect(code).toBe(1);
  });

  test("the same as JSON, with its reason", async () => {
    const { code, json, errors } = await finished("connect", "http://127.0.0.1:1/mcp", "--json");
    expect(json.map(({ type }) => type)).toEqual(["connecting", "error"]);
    expect(json[1]).toMatchObject({
      reason: "network",
      message: expect.stringContaining("http://127.0.0.1:1/mcp") as string,
    });
    expect(errors).toBe("");
    expect(code).toBe(1);
  });
});
