/** Credentials pass through: they are never stored and never logged. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { resumable } from "../support/interrupted.ts";
import { toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";

let server: Awaited<ReturnType<typeof startWorkerd>>;
beforeAll(async () => {
  server = await startWorkerd({
    vars: { TEST_AUTH: "on", TEST_RERUN: "sleep", HOLDFAST_LOG_LEVEL: "debug", HOLDFAST_RETRY_MS: "300" },
  });
});
afterAll(() => server.close());

test("a token is in no table, no file of the store, and no line of the log", async () => {
  const secret = `s3cret-${crypto.randomUUID()}`;
  const session = await openSession(server.url, { headers: { Authorization: `Bearer amy:${secret}` } });
  await session.tool("counter");
  await session.post({ jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "debug" } });
  // A call that is kept so that it can run again, and does, with credentials.
  const cursor = await resumable(await session.stream(toolCall("sleep", { ms: 500 })));
  await server.kill();
  await server.restart();
  expect(await (await session.get(cursor)).rest()).toHaveLength(1);
  const stream = await session.get();
  await session.tool("emit", { count: 1, on: "standalone" });
  await stream.message();
  await session.fetch("GET", { Authorization: "Bearer bob:other" });

  const stored = JSON.stringify((await inspect(server.url, session.id)).tables);
  // The session is there, and so is its subject.
  expect(stored).toContain('"principal":"amy"');
  expect(stored).not.toContain(secret);
  const folder = join(server.storage, "holdfast");
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  expect(files.some((bytes) => bytes.includes("counter"))).toBe(true);
  expect(files.some((bytes) => bytes.includes(secret))).toBe(false);
  await eventually(() =>
    expect(server.lines.filter((line) => line.includes('"type":"request"')).length).toBeGreaterThan(0),
  );
  expect(server.lines.filter((line) => line.includes(secret))).toEqual([]);
  // Nor is the session's id, which would open it; but for the test Worker's own hook, which prints all it is told.
  const lines = server.lines.filter((line) => !line.includes("test.disconnect"));
  expect(lines.filter((line) => line.includes(session.id))).toEqual([]);
  stream.leave();
});
