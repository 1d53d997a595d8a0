/** Connecting leaves nothing that keeps a program running, however it ends: G-09. */
import { afterEach, describe, expect, test } from "vitest";
import { run } from "../support/process.ts";
import { within } from "../support/wait.ts";
import { cleanUp, closing } from "./support/cleanup.ts";
import { misbehaving, status } from "./support/misbehaving.ts";
import { NODE_BIN } from "./support/program.ts";
import { SDK_PARTS } from "./support/sdk-parts.ts";
import { sdkSessionServer } from "./support/sdk-session-server.ts";

afterEach(cleanUp);

describe.each(SDK_PARTS)("$name: leaves nothing that keeps a program running", ({ name }) => {
  const program = new URL("support/connect-main.ts", import.meta.url).pathname;
  const output = async (url: string, timeoutMs = 8000): Promise<string> => {
    const { code, stdout, stderr } = await within(
      run([NODE_BIN, program, name, url, String(timeoutMs)]),
      "the end of the program",
    );
    expect([code, stderr]).toEqual([0, ""]);
    return stdout.trim();
  };

  test("after a connection", async () => {
    const server = closing(await sdkSessionServer.start());
    expect(await output(server.url)).toBe("called");
  });

  test("after a time-out", async () => {
    expect(await output(await misbehaving(() => undefined), 100)).toBe("timeout");
  });

  test("after a refusal", async () => {
    expect(await output(await misbehaving(status(500)))).toBe("http");
  });
});
