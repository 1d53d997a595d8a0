/** The command line, by what it prints and how it ends: G-14 … G-16. */
import { readFileSync } from "node:fs";
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
import { startStateless } from "./support/stateless-server.ts";
import { startSseServer } from "./support/sse-server.ts";

/** Add a server program here, and all of this holds for it. */
const TARGETS: readonly ProcessTarget[] = [sdkServerProcess, ownServerProcess, npmStart];
const MAIN = new URL("../../src/client/bin.ts", import.meta.url).pathname;
/** Before each report in words: the time, or the same in blanks. */
const AT = String.raw`^\d\d:\d\d:\d\d {2}`;
const at = (rest: string): RegExp => new RegExp(AT + rest, "m");

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
): Promise<{ code: number | null; printed: string; errors: string; json: Record<string, unknown>[] }> {
  const program = holdfast(...args);
  const code = await within(program.exit, "the end of the program", 20_000);
  const json = args.includes("--json")
    ? program.printed.map((line) => JSON.parse(line) as Record<string, unknown>)
    : [];
  return { code, printed: program.printed.join("\n"), errors: program.errors.join("\n"), json };
}

describe.each(TARGETS)("against $name", (target) => {
  let server: RunningProcess;
  beforeAll(async () => {
    server = await target.start();
  }, 90_000);
  afterAll(() => server.close());

  test("connects, says what was negotiated, and lists the tools, each in a line", async () => {
    const { url } = server;
    const { code, printed, errors } = await finished("connect", url);
    expect(code).toBe(0);
    expect(printed).toMatch(/^echo +\S.*$/m);
    expect(printed).not.toContain("{");
    const lines = errors.split("\n");
    expect(lines[0]).toMatch(at(`Connecting to ${url} \\.\\.\\.$`));
    expect(lines[1]).toMatch(at(String.raw`Connected in \d+\.\d{3} s$`));
    expect(errors).toMatch(/^ {12}server +\S+ \S+$/m);
    expect(errors).toMatch(/^ {12}protocol +2025-11-25 \(session\)$/m);
    expect(errors).toMatch(/^ {12}session +[\w-]{32,}$/m);
    expect(errors).toMatch(/^ {12}capabilities +.*\btools\b/m);
    expect(lines.at(-1)).toMatch(at("Closed\\.$"));
  });

  test("lists them with their schemas if asked to", async () => {
    const { code, printed } = await finished("connect", server.url, "--schemas");
    expect(code).toBe(0);
    expect(printed).toMatch(/^echo .+\n {2}\{.*"type":"object".*\}$/m);
  });

  test.each([
    [["--args", '{"text":"hello there"}'], "hello there"],
    [["--tool-arg", "text=1e3=x"], "1e3=x"],
    [["--args", '{"text":"one"}', "--tool-arg", "text=two"], "two"],
  ])("calls a tool with %j: the result, and nothing else, is on standard output", async (args, result) => {
    const { code, printed, errors } = await finished("connect", server.url, "--tool", "echo", ...args);
    expect(errors).toMatch(at(String.raw`Result of echo after \d+\.\d{3} s$`));
    expect(printed).toBe(result);
    expect(code).toBe(0);
  });

  test("streams progress as it comes, as JSON for scripts", async () => {
    const { url } = server;
    const { code, json } = await finished(
      "connect",
      url,
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
    const program = holdfast("connect", server.url, "--watch", "--ping", "200");
    await program.line(at("Watching"));
    for (const death of [1, 2]) {
      const from = program.lines.length;
      await server.kill();
      await program.line(at("Dropped: the standalone stream"), from);
      await program.line(at("No answer to ping"), from);
      await server.restart();
      if (!target.durable) {
        await program.line(
          at(String.raw`Recovered: session [\w-]+ in place of [\w-]+, in \d+\.\d{3} s$`),
          from,
        );
      }
      await program.line(
        at(String.raw`Resumed: the standalone stream.*, after \d+\.\d{3} s and \d+ attempts?$`),
        from,
      );
      expect(program.lines.filter((line) => at("Recovered").test(line))).toHaveLength(
        target.durable ? 0 : death,
      );
    }
    program.kill("SIGINT");
    expect(await within(program.exit, "the end of the watch")).toBe(0);
    expect(program.lines.at(-1)).toMatch(at("Closed\\.$"));
    expect(program.lines.filter((line) => line.includes("[ERROR]"))).toEqual([]);
  });

  test("a call whose server dies and stays dead is an error, and the exit code says so", async () => {
    const args = ["-t", "sleep", "-a", '{"ms":600000,"steps":2000}', "--call-timeout", "3000", "--json"];
    const program = holdfast("connect", server.url, ...args);
    await program.line(/"type":"progress"/);
    await server.kill();
    expect(await within(program.exit, "the end of the program")).toBe(1);
    const reports = program.printed.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(reports.filter(({ type }) => type === "error")).toMatchObject([{ reason: "failed" }]);
    await server.restart();
  });

  test("an interrupt breaks a call off", async () => {
    const program = holdfast("connect", server.url, "-t", "sleep", "-a", '{"ms":600000,"steps":2000}');
    await program.line(at("Progress"));
    program.kill("SIGINT");
    expect(await within(program.exit, "the end of the program")).toBe(130);
    expect(program.errors.filter((line) => line.includes("[ERROR]"))).toEqual([
      expect.stringMatching(at(String.raw`\[ERROR\] interrupted$`)),
    ]);
  });
});

test("a tool's own error is the result, and the exit code says so", async () => {
  const server = await sdkServerProcess.start();
  const { code, printed, errors } = await finished("connect", server.url, "-t", "no-such-tool");
  expect(printed).toBe("no such tool: no-such-tool");
  expect(errors).toMatch(at(String.raw`\[ERROR\] no-such-tool failed after \d+\.\d{3} s$`));
  expect(code).toBe(1);
  await server.close();
});

test("an argument that is not of its type is an error, and no call", async () => {
  const server = await ownServerProcess.start();
  const args = ["-t", "sleep", "--tool-arg", "ms=soon"];
  const { code, printed, errors } = await finished("connect", server.url, ...args);
  expect(errors).toMatch(at(String.raw`\[ERROR\] ms: (number|integer), not "soon"$`));
  expect(errors).not.toContain("Result");
  expect({ code, printed }).toEqual({ code: 1, printed: "" });
  await server.close();
});

test("progress extends the call's limit, silence does not", async () => {
  const server = await ownServerProcess.start();
  const sleep = (ms: number, steps: number): string[] => [
    ..."connect URL --tool sleep --call-timeout 1500".replace("URL", server.url).split(" "),
    ...`--tool-arg ms=${ms} --tool-arg steps=${steps}`.split(" "),
  ];
  const [told, silent] = await Promise.all([finished(...sleep(3000, 12)), finished(...sleep(600_000, 1))]);
  expect(told).toMatchObject({ code: 0, printed: "slept" });
  expect(silent).toMatchObject({ code: 1, printed: "" });
  expect(silent.errors).toMatch(at(String.raw`\[ERROR\] Neither result nor progress within 1500 ms$`));
  await server.close();
});

test("ends when nobody reads on", async () => {
  const server = await sdkServerProcess.start();
  const program = holdfast("connect", server.url, "--watch", "--json");
  await program.line(/"watching"/);
  program.readNoMore();
  await server.kill();
  expect(await within(program.exit, "the end of the program")).toBe(0);
});

describe("the stateless era", () => {
  test("is spoken where there are no sessions, without being asked for", async () => {
    const server = await startStateless();
    const { code, printed, errors } = await finished("connect", server.url, "-t", "hello");
    expect(errors).toMatch(/^ {12}protocol +2026-07-28 \(modern\)$/m);
    expect({ code, printed }).toEqual({ code: 0, printed: "hello" });
    await server.close();
  });

  test("is watched by listening", async () => {
    const server = await ownServerProcess.start();
    const program = holdfast("connect", server.url, "--era", "modern", "--watch");
    await program.line(/^ {12}protocol +2026-07-28 \(modern\)$/);
    await program.line(/^ {12}session +none$/);
    await program.line(at("Watching"));
    await server.kill();
    await program.line(at("Dropped"));
    await server.restart();
    await program.line(at(String.raw`Resumed: the standalone stream, after \d+\.\d{3} s and \d+ attempts?$`));
    program.kill("SIGTERM");
    expect(await within(program.exit, "the end of the watch")).toBe(0);
    await server.close();
  });
});

describe("HTTP+SSE", () => {
  test("is spoken where there is nothing else, and connected anew when it is lost", async () => {
    const server = await startSseServer();
    const program = holdfast("connect", server.url, "--watch");
    await program.line(/^ {12}protocol +\S+ \(legacy\)$/);
    await program.line(at("Watching"));
    await server.stop();
    await program.line(at("Dropped: the legacy stream"));
    await server.start();
    await program.line(at(String.raw`Reconnected after \d+\.\d{3} s and \d+ attempts?$`));
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
    [["connect", "http://127.0.0.1:1", "--tool-arg", "text"], "Not of the form name=value."],
    [["connect", "http://127.0.0.1:1", "--header", "no colon"], 'Not of the form "Name: value".'],
    [["connect", "http://127.0.0.1:1", "--timeout", "soon"], "Not a number of milliseconds."],
    [["connect", "http://127.0.0.1:1", "--era", "future"], "Allowed choices are modern, session, legacy."],
    [["no-such-command"], "unknown command 'no-such-command'"],
  ])("%j is refused, in two lines, and 1", async (args, words) => {
    const { code, errors } = await finished(...args);
    expect(errors).toContain(words);
    expect(errors.split("\n")).toEqual([expect.any(String), "holdfast connect --help says what there is."]);
    expect(code).toBe(1);
  });

  test("help is no failure", async () => {
    const { code, printed: text } = await finished("connect", "--help");
    expect(text).toContain("Usage: holdfast connect [options] <url>");
    for (const flag of [
      "--tool",
      "--args",
      "--header",
      "--era",
      "--tool-arg",
      "--timeout",
      "--watch",
      "--json",
    ])
      expect(text).toContain(flag);
    expect(code).toBe(0);
  });

  test("a server that is not there: one error, on standard error, and 1", async () => {
    const { code, errors } = await finished("connect", "http://127.0.0.1:1/mcp");
    expect(errors).toMatch(
      at(String.raw`\[ERROR\] Cannot connect to http://127\.0\.0\.1:1/mcp: no answer \(.+\)$`),
    );
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

  test("https on a port of http, a wrong path, a refusal: what the server says, and what may be meant", async () => {
    const server = await ownServerProcess.start();
    const { origin, host } = new URL(server.url);
    const tries = [`https://${host}/mcp`, `${origin}/`, `${origin}/api/ai/`, `${origin}/api/info`].map(
      (url) => finished("connect", url),
    );
    const [tls, path, mount, beside] = await Promise.all(tries);
    expect(tls?.errors).toContain(`no answer (no TLS on this port)\n${" ".repeat(10)}Is it ${server.url}?`);
    expect(path?.errors).toContain(`\n${" ".repeat(10)}Is it ${server.url}?`);
    expect(mount?.errors).toContain(`Is it ${origin}/api/ai/mcp, or ${server.url}?`);
    expect(beside?.errors).toContain(`Is it ${origin}/api/mcp, or ${server.url}?`);
    expect([tls?.code, path?.code, mount?.code, beside?.code]).toEqual([1, 1, 1, 1]);
    await server.close();
  });

  test("the program's version is the package's", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await finished("--version")).toMatchObject({ code: 0, printed: version });
  });
});

describe("colours", () => {
  const coloured = async (env: Record<string, string>): Promise<boolean> => {
    const program = runProgram([NODE_BIN, MAIN, "connect", "http://127.0.0.1:1/mcp"], env);
    await program.exit;
    return program.errors.join().includes("\u001b[");
  };
  test.each([
    [{ NO_COLOR: "" }, false],
    [{ NO_COLOR: "", FORCE_COLOR: "1" }, true],
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, false],
    [{ NO_COLOR: "", FORCE_COLOR: "0" }, false],
  ])("with %j, into a pipe: %s", async (env, expected) => {
    expect(await coloured(env)).toBe(expected);
  });
});
