/** A database that cannot grow: what must be stored fails, call by call; the process and the rest go on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerOf, openSession } from "../support/mcp.ts";
import { initialize, numbersOf, toolCall } from "../support/messages.ts";
import { NODE } from "../support/node.ts";
import { type ProcessServer, startProcess } from "../support/process.ts";
import { eventually, within } from "../support/wait.ts";

/** KiB that a file of the process may have: to SQLite that is a disk that takes no more. */
const LIMIT = 600;

let server: ProcessServer;
beforeAll(async () => {
  const limited = `trap '' XFSZ; ulimit -f ${LIMIT}; exec "$0" "$@"`;
  server = await startProcess(["bash", "-c", limited, ...NODE], { vars: { HOLDFAST_LOG_LEVEL: "warn" } });
});
afterAll(() => server.close());

test("a full disk ends neither the process, nor a stream, nor a call that needs no storage", async () => {
  const [session, other] = [await openSession(server.url), await openSession(server.url)];
  const stream = await other.get();
  const heard = (await session.get()).rest();
  await session.tool("emit", { count: 10_000, on: "standalone" });
  const counted = (): Promise<Record<string, unknown> | undefined> =>
    session.post(toolCall("counter")).then(async (response) => (await answerOf(response)).result);
  await eventually(async () => expect(await counted()).toHaveProperty("isError", true));

  // What a tool's error says goes to whoever may see it: where the file is, is for the log alone.
  expect(JSON.stringify(await counted())).not.toContain(server.database);
  await eventually(() =>
    expect(server.events()).toContainEqual(
      expect.objectContaining({
        type: "tool.threw",
        message: expect.stringMatching(/^The database cannot be used \((?!.*\.db)/),
      }),
    ),
  );
  await eventually(() =>
    expect(server.events()).toContainEqual(
      expect.objectContaining({ type: "request.error", message: expect.stringContaining(server.database) }),
    ),
  );

  for (const each of [session, other]) expect(await each.tool("echo", { text: "here" })).toBe("here");
  // No stream can be opened for it, so its POST waits.
  expect(await other.tool("sleep", { ms: 400 })).toBe("slept");
  // A session that cannot be stored is refused.
  const refused = await fetch(`${server.url}/mcp`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
    body: JSON.stringify(initialize()),
  });
  expect(refused.headers.has("mcp-session-id")).toBe(false);
  expect((await answerOf(refused)).error).toBeDefined();

  const ended = server.end("SIGTERM");
  expect(await stream.rest()).toEqual([]);
  // What could be stored came, in order; the stream outlived what could not.
  const numbers = numbersOf(await heard);
  expect(numbers.length).toBeGreaterThan(100);
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  expect(await within(ended, "its end", 5000)).toBe(0);
});
