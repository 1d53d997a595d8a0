/** What the host is given: options that are wrong are refused, and it says so where it has no file. */
import { existsSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { createLocalMcp, localHost } from "../../src/local/index.ts";
import { openSession } from "../support/mcp.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { freshFile, served } from "./served.ts";

describe("where there is no file", () => {
  test("one line says that sessions end with the process", () => {
    const lines: string[] = [];
    const warn = vi.spyOn(console, "warn").mockImplementation((line: string) => void lines.push(line));
    const host = localHost({ createServer: createTestServer });
    warn.mockRestore();
    void host.close();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      type: "storage.memory",
      level: "warn",
      time: expect.any(Number),
      message: "Sessions are kept in memory and end with this process; set `database` to keep them",
    });
  });

  test("with a file, nothing is said", () => {
    const warn = vi.spyOn(console, "warn");
    void localHost({ createServer: createTestServer, database: freshFile() }).close();
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe("options", () => {
  test.each([9, 1.5, Number.NaN, 86_400_001])("evictAfterMs %s is refused by name", (evictAfterMs) => {
    expect(() => localHost({ createServer: createTestServer, evictAfterMs })).toThrow(
      /^evictAfterMs must be/,
    );
  });

  test("an option that is wrong is refused before the file is made", () => {
    const database = freshFile();
    expect(() => createLocalMcp({ createServer: createTestServer, database, retryMs: -1 })).toThrow(
      /retryMs/,
    );
    expect(existsSync(database)).toBe(false);
  });

  test("`env` is what the factory gets, on every way to it", async () => {
    const seen: unknown[] = [];
    const { url } = await served({
      env: { secret: "s" },
      evictAfterMs: 10,
      createServer: (context) => {
        seen.push(context.env);
        return createTestServer(context);
      },
    });
    const session = await openSession(url);
    await eventually(async () => {
      await session.tool("whoami");
      expect(seen.length).toBeGreaterThan(1);
    });
    for (const env of seen) expect(env).toEqual({ secret: "s" });
  });
});
