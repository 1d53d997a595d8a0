/** `holdfast connect --task` and `--task-id`: a task from its call to its result, whatever ends in between. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { startNode } from "../support/node.ts";
import type { ProcessServer } from "../support/process.ts";
import { accept, taskClient } from "../support/tasks.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { within } from "../support/wait.ts";
import { sdkServerProcess } from "./support/process-target.ts";
import { NODE_BIN, type Program, runProgram } from "./support/program.ts";
import { sitting } from "./support/sitting.ts";
import { startStateless } from "./support/stateless-server.ts";

const MAIN = new URL("../../src/client/bin.ts", import.meta.url).pathname;
const AT = String.raw`^\d\d:\d\d:\d\d {2}`;
const at = (rest: string): RegExp => new RegExp(AT + rest, "m");
const LEFT = /^ {10}The task is left as it is\. To watch it again: npx holdfast (connect .+)$/m;

const running: Program[] = [];
afterEach(() => {
  for (const program of running.splice(0)) program.kill("SIGKILL");
});

function started(command: readonly string[]): Program {
  const program = runProgram(command);
  running.push(program);
  return program;
}
const holdfast = (...args: string[]): Program => started([NODE_BIN, MAIN, "connect", ...args]);

interface Finished {
  readonly code: number | null;
  readonly printed: string;
  readonly errors: string;
}

async function end(program: Program): Promise<Finished> {
  const code = await within(program.exit, "the end of the program", 30_000);
  return { code, printed: program.printed.join("\n"), errors: program.errors.join("\n") };
}
const finished = (...args: string[]): Promise<Finished> => end(holdfast(...args));

describe("at a server with tasks", () => {
  let server: ProcessServer;
  const client = taskClient(() => server.url);
  const mcp = (): string => `${server.url}/mcp`;
  const call = (tool: string, ...args: string[]): string[] => [
    mcp(),
    "--tool",
    tool,
    ...args.flatMap((arg) => ["--tool-arg", arg]),
    "--task",
  ];

  beforeAll(async () => {
    vi.stubGlobal("fetch", unpooledFetch);
    server = await startNode({
      vars: { TEST_RERUN: "task_steps", REQUEST_STATE_KEY: "the same in each process that serves this file" },
    });
  });
  afterAll(() => server.close());

  test("a call that becomes a task: its id and changes with their times, its result alone on standard output", async () => {
    const { code, printed, errors } = await finished(...call("task_steps", "count=3", "ms=20", "tag=cli"));
    expect(errors).toMatch(at(String.raw`Task [\da-f]{64}\.[\da-f]{32}, kept until \d{4}-\d\d-\d\dT\S+Z$`));
    expect(errors).toMatch(at("The task: working"));
    expect(errors).toMatch(at("The task: completed"));
    expect(errors).toMatch(at(String.raw`Result of task_steps after \d+\.\d{3} s$`));
    expect({ code, printed }).toEqual({ code: 0, printed: '{"done":3,"attempt":1}' });
  });

  test("a call that becomes none: its answer, as ever", async () => {
    const { code, printed, errors } = await finished(...call("echo", "text=hello there"));
    expect(errors).toMatch(at(String.raw`Answered at once: the call became no task\.$`));
    expect(errors).not.toContain("Task ");
    expect({ code, printed }).toEqual({ code: 0, printed: "hello there" });
    // A tool's own error too.
    const wrong = await finished(...call("echo"));
    expect(wrong.errors).toMatch(at(String.raw`\[ERROR\] echo failed after`));
    expect(wrong.code).toBe(1);
  });

  test("without --task the client knows no tasks, and an optional one is none", async () => {
    const task = await finished(...call("maybe_wait", "ms=1500"));
    expect(task.errors).toMatch(at("Task "));
    expect(task).toMatchObject({ code: 0, printed: "waited 1500" });
    const args = [mcp(), "--era", "modern", "-t", "maybe_wait", "--tool-arg", "ms=1500"];
    const { code, printed, errors } = await finished(...args);
    expect(errors).not.toContain("Task ");
    expect({ code, printed }).toEqual({ code: 0, printed: "waited 1500" });
  });

  test("a tool's own error, a task that fails, one that is cancelled: 1 each, in their words", async () => {
    const own = await finished(...call("failing_job"));
    expect(own).toMatchObject({ code: 1, printed: "the job has failed" });
    expect(own.errors).toMatch(at(String.raw`\[ERROR\] failing_job failed after`));

    const failed = await finished(...call("protocol_error_job"));
    expect(failed).toMatchObject({ code: 1, printed: "" });
    expect(failed.errors).toMatch(at(String.raw`\[ERROR\] The task has failed: .+ \(-32\d{3}\)`));
    expect(failed.errors).not.toMatch(LEFT);

    const { taskId } = await client.start("task_hang", { tag: "cli" });
    const program = holdfast(mcp(), "--task-id", taskId);
    await program.line(at("The task: working"));
    await client.cancel(taskId);
    const cancelled = await end(program);
    expect(cancelled).toMatchObject({ code: 1, printed: "" });
    expect(cancelled.errors).toMatch(at(String.raw`\[ERROR\] The task was cancelled$`));
    expect(cancelled.errors).not.toMatch(LEFT);
  });

  test("an interrupt leaves the task, and the line that is printed leads back to it", async () => {
    const [url, ...rest] = call("task_steps", "count=12", "ms=250", "tag=left");
    const program = holdfast(`${url}?a=1&b='2'`, ...rest);
    await program.line(at(String.raw`The task: working \([1-9]`));
    program.kill("SIGINT");
    const { code, printed, errors } = await end(program);
    expect(errors).toMatch(at(String.raw`\[ERROR\] interrupted$`));
    expect({ code, printed }).toEqual({ code: 130, printed: "" });

    const [, command = ""] = LEFT.exec(errors) ?? [];
    const back = await end(started(["sh", "-c", `exec "${NODE_BIN}" "${MAIN}" ${command}`]));
    expect(back.errors).toMatch(at("Result of the task after"));
    expect(back).toMatchObject({ code: 0, printed: '{"done":12,"attempt":1}' });
    // What is over is still there for whoever asks again.
    const json = await end(started(["sh", "-c", `exec "${NODE_BIN}" "${MAIN}" ${command} --json`]));
    const reports = json.printed.split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(reports.map(({ type }) => type)).toEqual([
      "connecting",
      "connected",
      "task",
      "task-status",
      "result",
      "closed",
    ]);
    expect(reports[3]).toMatchObject({ taskId: reports[2]?.["taskId"], status: "completed" });
  });

  test("SIGKILL of the server, twice, is waited for: one result, and no step that was noted twice", async () => {
    const program = holdfast(...call("task_steps", "count=30", "ms=100", "tag=killed"));
    for (const death of [1, 2]) {
      const from = program.lines.length;
      await program.line(at(String.raw`The task: working \(\d+ of 30\)`), from);
      await server.kill();
      await program.line(at(String.raw`The server is not there; asking again \(.+\)$`), from);
      await server.restart();
      await program.line(at(String.raw`The server is there, after \d+\.\d{3} s and \d+ attempts$`), from);
      expect(program.lines.filter((line) => line.includes("is not there"))).toHaveLength(death);
    }
    const { code, printed, errors } = await end(program);
    expect(printed).toMatch(/^\{"done":30,"attempt":[23]\}$/);
    expect(code).toBe(0);
    expect(errors.match(/^.*Task [\da-f]{64}/gm)).toHaveLength(1);
    const done = server.events().filter(({ type, tag }) => type === "test.done" && tag === "killed");
    expect(new Set(done.map(({ n }) => n)).size).toBe(done.length);
  });

  test("a server that stays away is an error after --call-timeout, with the way back", async () => {
    const { taskId } = await client.start("task_steps", { count: 1, ms: 60_000, tag: "away" });
    const program = holdfast(mcp(), "--task-id", taskId, "--call-timeout", "1500", "--header", "X-A: secret");
    await program.line(at("The task: working"));
    await server.kill();
    const { code, errors } = await end(program);
    await server.restart();
    expect(errors).toMatch(at(String.raw`\[ERROR\] No answer within 1500 ms \(.+\)$`));
    expect(LEFT.exec(errors)?.[1]).toBe(`connect ${mcp()} --task-id=${taskId} (with the same --header)`);
    expect(errors).not.toContain("secret");
    expect(code).toBe(1);
    await client.cancel(taskId);
  });

  test("an id that is unknown, or forged: the server's words, 1, and no way back to nothing", async () => {
    const { taskId } = await client.start("task_wait", { ms: 1 });
    for (const id of ["nope", "--nope", `${taskId.slice(0, -1)}_`, "ü\n1"]) {
      const { code, printed, errors } = await finished(mcp(), `--task-id=${id}`);
      expect(errors).toMatch(at(String.raw`\[ERROR\] Task not found`));
      expect(errors).not.toMatch(LEFT);
      expect({ code, printed }).toEqual({ code: 1, printed: "" });
    }
  });

  test("one whose time is up while it is watched is unknown then", async () => {
    const brief = await startNode({ vars: { TEST_TASK_TTL_MS: "1500" } });
    const args = [`${brief.url}/mcp`, "--tool", "task_hang", "--tool-arg", "tag=brief", "--task"];
    const { code, errors } = await finished(...args);
    await brief.close();
    expect(errors).toMatch(at("The task: working"));
    expect(errors).toMatch(at(String.raw`\[ERROR\] Task not found`));
    expect(errors).not.toMatch(LEFT);
    expect(code).toBe(1);
  });

  test("questions are answered on a terminal, one after the other", async () => {
    const args = ["connect", ...call("task_words")];
    const { code, out, asked } = await sitting(args, ["y", "one", "y", "two"]);
    expect(asked.filter((question) => question.startsWith("The server asks"))).toEqual([
      expect.stringContaining("Word 1?"),
      expect.stringContaining("Word 2?"),
    ]);
    expect({ code, out }).toEqual({ code: 0, out: "one two\n" });
  });

  test("an interrupt at a question, the end of input, no terminal, a question for a model: none answers it, and it stays asked", async () => {
    const { taskId } = await client.start("confirm_delete", { filename: "f" });
    const args = ["connect", mcp(), "--task-id", taskId];
    for (const answers of [
      [(interrupt: () => void) => interrupt()],
      ["y", (interrupt: () => void) => interrupt()],
    ]) {
      const interrupted = await sitting(args, answers);
      expect(interrupted.error).toMatch(LEFT);
      expect(interrupted.code).toBe(130);
    }
    const empty = await sitting(args, ["y"]);
    expect(empty.error).toMatch(
      at(String.raw`\[ERROR\] The task asks its user, and there is no more input$`),
    );
    expect(empty).toMatchObject({ code: 1, asked: { length: 2 } });
    const nobody = await sitting(args, undefined);
    expect(nobody.error).toMatch(at(String.raw`\[ERROR\] The task asks its user, and there is no terminal`));
    expect(nobody.error).toMatch(LEFT);
    expect(nobody.code).toBe(1);
    expect(await client.get(taskId)).toMatchObject({ status: "input_required" });

    const model = await client.start("task_model");
    const asked = await sitting(["connect", mcp(), "--task-id", model.taskId], []);
    expect(asked.error).toMatch(at(String.raw`\[ERROR\] The task asks for sampling`));
    expect(asked).toMatchObject({ code: 1, asked: [] });
    expect(await client.get(model.taskId)).toMatchObject({ status: "input_required" });
    await client.cancel(model.taskId);

    // By somebody else meanwhile, or here: each is an answer.
    expect(await sitting(args, ["y", "true"])).toMatchObject({ code: 0, out: "deleted f\n" });
    const other = await client.start("confirm_delete", { filename: "g" });
    await client.until(other.taskId, "input_required");
    await client.update(other.taskId, { "1.confirm": accept({ confirm: false }) });
    await client.until(other.taskId, "completed");
    expect(await sitting(["connect", mcp(), "--task-id", other.taskId], [])).toMatchObject({
      code: 0,
      out: "kept g\n",
    });
  });
});

describe("what cannot be done", () => {
  test("a server without the extension: an error, and no call", async () => {
    const server = await startStateless();
    for (const args of [
      ["--tool", "hello", "--task"],
      ["--task-id", "x"],
    ]) {
      const { code, out, error } = await sitting(["connect", server.url, ...args], undefined);
      expect(error).toMatch(
        at(String.raw`\[ERROR\] The server has no tasks: .* extension io\.modelcontextprotocol/tasks$`),
      );
      expect({ code, out }).toEqual({ code: 1, out: "" });
    }
    await server.close();
  });

  test("a server of sessions alone: what may be meant", async () => {
    const server = await sdkServerProcess.start();
    const { code, errors } = await finished(server.url, "--task-id", "x");
    expect(errors).toContain(
      `\n${" ".repeat(10)}Tasks are of the revision 2026-07-28: does the server speak it?`,
    );
    expect(code).toBe(1);
    await server.close();
  });

  test.each([
    [["--task"], "option '--task' needs '--tool'"],
    [["--task", "--tool", "x", "--watch"], "option '--task' cannot be used with option '-w, --watch'"],
    [["--task-id", "x", "--tool", "x"], "cannot be used with option '-t, --tool <name>'"],
    [["--task-id", "x", "--task"], "cannot be used with option '--task'"],
    [["--task-id", "x", "--args", "{}"], "cannot be used with option '-a, --args <json>'"],
    [["--task-id", "x", "--era", "session"], "tasks are of the era modern"],
    [["--task-id"], "argument missing"],
  ])("%j is refused, in two lines", async (args, words) => {
    const { code, error } = await sitting(["connect", "http://127.0.0.1:1", ...args], undefined);
    expect(error).toContain(words);
    expect(error.trimEnd().split("\n")).toHaveLength(2);
    expect(code).toBe(1);
  });
});
