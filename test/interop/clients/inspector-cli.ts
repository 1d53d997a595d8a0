/** The Inspector's command line: a process, and so a session, for each operation. @module */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { LIMIT_MS, run, textOf } from "./loop.ts";

const BIN = new URL("../.cache/envs/npm/node_modules/.bin", import.meta.url).pathname;
const execute = promisify(execFile);
let target: readonly string[] = [];

async function inspect(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await execute(join(BIN, "mcp-inspector"), ["--cli", ...target, ...args], {
    maxBuffer: 10_000_000,
    timeout: LIMIT_MS,
  });
  return JSON.parse(stdout);
}

const list = async (): Promise<number> =>
  ((await inspect("--method", "tools/list")) as { tools: unknown[] }).tools.length;

run({
  async connect(url, kind) {
    target = [url, "--transport", kind];
    await list();
    return undefined;
  },
  list,
  async call(name, args) {
    const given = Object.entries(args).flatMap(([key, value]) => ["--tool-arg", `${key}=${String(value)}`]);
    return textOf(await inspect("--method", "tools/call", "--tool-name", name, ...given));
  },
  close: async () => {},
});
