/** `holdfast/testing` on each runtime, as a program of its own: it works, and it ends. */
import { expect, test } from "vitest";
import { BUN } from "../support/bun.ts";
import { DENO } from "../support/deno.ts";
import { NODE } from "../support/node.ts";
import { run } from "../support/process.ts";

const PROGRAM = new URL("program.ts", import.meta.url).pathname;

test.each([
  ["Node", NODE],
  ["Deno", DENO],
  ["Bun", BUN],
])(
  "%s",
  async (_name, command) => {
    const { code, stdout, stderr } = await run([...command, PROGRAM]);
    expect(stderr).toBe("");
    expect(stdout).toBe('["1","2","3","4"]\n');
    expect(code).toBe(0);
  },
  60_000,
);
