/** Settings: a good one is in force, a bad one stops the start with its name. @module */
import { describe, expect, test } from "vitest";
import type { Subject } from "../support/subject.ts";

/** Bad values of each kind: one start names all that are wrong, and has one value of each variable. */
const BAD: readonly Readonly<Record<string, string>>[] = [
  {
    HOLDFAST_RETRY_MS: "soon",
    HOLDFAST_KEEPALIVE_INTERVAL_MS: "1.5",
    HOLDFAST_KEEPALIVE_MAX_FAILURES: "0",
    HOLDFAST_SESSION_TTL_MS: "Infinity",
    HOLDFAST_MAX_STREAM_MS: "NaN",
    HOLDFAST_MAX_EVENTS: "10 000",
    HOLDFAST_QUICK_ANSWER_MS: "1001",
    HOLDFAST_MAX_BODY_BYTES: "4MB",
    HOLDFAST_KEEPALIVE_MODE: "loud",
    HOLDFAST_RECOVERY: "Rotate",
    HOLDFAST_ON_GAP: "405",
    HOLDFAST_LOG_LEVEL: "trace",
    HOLDFAST_ALLOWED_ORIGINS: "app.example",
    HOLDFAST_BASE_PATH: "api",
    HOLDFAST_PUBLIC_URL: "mcp.example",
  },
  {
    HOLDFAST_RETRY_MS: "-1",
    HOLDFAST_ALLOWED_ORIGINS: "https://app.example,https://app.example/path",
    HOLDFAST_BASE_PATH: "/a b",
    HOLDFAST_PUBLIC_URL: "ftp://mcp.example",
  },
];

const GOOD = {
  HOLDFAST_RETRY_MS: "0",
  HOLDFAST_KEEPALIVE_INTERVAL_MS: " 1000 ",
  HOLDFAST_KEEPALIVE_MODE: "jsonrpc",
  HOLDFAST_KEEPALIVE_MAX_FAILURES: "2",
  HOLDFAST_SEND_TIMEOUT_MS: "0",
  HOLDFAST_MAX_STREAM_MS: "100000",
  HOLDFAST_SESSION_TTL_MS: "200000",
  HOLDFAST_MESSAGE_TTL_MS: "300000",
  HOLDFAST_MAX_EVENTS: "7",
  HOLDFAST_MAX_BODY_BYTES: "1000",
  HOLDFAST_RECOVERY: "spec",
  HOLDFAST_ON_GAP: "404",
  HOLDFAST_LOG_LEVEL: "error",
  // Unset and empty are the same.
  HOLDFAST_MAX_IN_FLIGHT: "",
};

export function testOptions(subject: Subject): void {
  describe("settings", () => {
    /** How a server ends that is started so. Each process of a cluster judges its own settings. */
    const failure = (vars: Readonly<Record<string, string>>): Promise<unknown> =>
      subject.start({ ...vars, TEST_PROCESSES: "1" }).then(
        (server) => server.close(),
        (error: unknown) => error,
      );

    test.each(BAD)("bad ones stop the start, each with its name and what was given (%#)", async (vars) => {
      const said = String(await failure(vars));
      for (const [variable, value] of Object.entries(vars)) {
        const about = said.split(variable)[1]?.split(";")[0];
        // Of a list, the one that is wrong.
        expect(about, `${variable} in ${said}`).toContain(value.split(",").at(-1));
      }
    });

    test("a good one that does not go with the others stops it too", async () => {
      // Longer than a session lives: it would never be sent.
      const said = String(await failure({ HOLDFAST_KEEPALIVE_INTERVAL_MS: "3600000" }));
      expect(said).toMatch(/keepaliveIntervalMs|HOLDFAST_KEEPALIVE_INTERVAL_MS/);
    });

    test("what is set is in force, and the rest has its default", async () => {
      const server = await subject.start({ ...GOOD, TEST_PROCESSES: "1" });
      try {
        const info = (await (await fetch(`${server.url}/info`)).json()) as { settings: object };
        expect(info.settings).toMatchObject({
          retryMs: 0,
          keepaliveIntervalMs: 1000,
          keepaliveMode: "jsonrpc",
          keepaliveMaxFailures: 2,
          sendTimeoutMs: 0,
          maxStreamMs: 100_000,
          sessionTtlMs: 200_000,
          messageTtlMs: 300_000,
          maxEvents: 7,
          maxBodyBytes: 1000,
          recovery: "spec",
          onGap: "404",
          logLevel: "error",
          maxInFlight: 1000,
          quickAnswerMs: 100,
        });
      } finally {
        await server.close();
      }
    });
  });
}
