/**
 * Whatever the server does with its calls and whatever the clients do meanwhile: every call that was accepted is
 * answered once or cancelled, and afterwards the session is idle, leaves memory, expires, and leaves nothing.
 * `SEQUENCE_SEED=<seed>` plays the same sessions again.
 */
import { DatabaseSync } from "node:sqlite";
import { assert, asyncProperty } from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { freshFile, served } from "../local/served.ts";
import { inspect } from "../support/back-door.ts";
import { describeBeside } from "../support/beside.ts";
import { eventually } from "../support/wait.ts";
import { createWaywardServer } from "../support/wayward-server.ts";
import { SDKS } from "../support/wayward.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";
import { play, sessions } from "./script.ts";

const seed = inject("seed");
console.log(`sessions from SEQUENCE_SEED=${seed}`);

const RUNS = { seed, numRuns: 3, endOnFailure: true };
const DAY_MS = 86_400_000;

/** Rows of a database file, over all tables. */
function rowsIn(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  const count = (table: string): number =>
    Number(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.["rows"]);
  const rows = ["session", "stream", "event", "entry", "alarm"].map(count);
  database.close();
  return rows.reduce((sum, each) => sum + each, 0);
}

describe("in one process", () => {
  test.each(SDKS)(
    "with SDK %s",
    async (sdk) => {
      vi.spyOn(console, "log").mockImplementation(() => {});
      onTestFinished(() => {
        vi.useRealTimers();
        vi.restoreAllMocks();
      });
      await assert(
        asyncProperty(sessions, async (scripts) => {
          vi.useRealTimers();
          const database = freshFile();
          const options = {
            database,
            createServer: () => createWaywardServer(sdk),
            maxCallMs: 700,
            evictAfterMs: 50,
          };
          const first = await served(options);
          const played = await Promise.all(scripts.map((steps) => play(first.url, steps)));
          // Idle: nothing else leaves memory.
          await eventually(() => expect(first.host.inMemory).toBe(0));
          expect(first.events.filter(({ type }) => type === "session.expired")).toEqual([]);
          await first.close();

          // A day later the time of all of them is up, and another day later nobody remembers them.
          vi.useFakeTimers({ toFake: ["Date"], shouldAdvanceTime: true });
          vi.setSystemTime(Date.now() + DAY_MS);
          const second = await served(options);
          await eventually(() =>
            expect(second.events.filter(({ type }) => type === "session.expired")).toHaveLength(
              scripts.length,
            ),
          );
          await second.close();
          vi.setSystemTime(Date.now() + 2 * DAY_MS);
          const third = await served(options);
          await eventually(() =>
            expect(played.filter(({ id }) => third.host.find(id, undefined) !== undefined)).toEqual([]),
          );
          await third.close();
          expect(rowsIn(database)).toBe(0);
        }),
        RUNS,
      );
    },
    60_000,
  );
});

// They wait for the ends of sessions.
describeBeside(
  SDKS.map((sdk) => ({ sdk })),
  "on Durable Objects, with SDK $sdk",
  ({ sdk }) => {
    let server: Workerd;
    beforeAll(async () => {
      server = await startWorkerd({
        vars: {
          TEST_SDK: `wayward ${sdk}`,
          TEST_EVENTS: "on",
          HOLDFAST_MAX_CALL_MS: "700",
          HOLDFAST_KEEPALIVE_INTERVAL_MS: "200",
          HOLDFAST_SESSION_TTL_MS: "4000",
          HOLDFAST_TOMBSTONE_TTL_MS: "1000",
        },
      });
    });
    afterAll(() => server.close());

    test("answered, and gone", async () => {
      await assert(
        asyncProperty(sessions, async (scripts) => {
          const played = await Promise.all(scripts.map((steps) => play(server.url, steps)));
          for (const { id } of played) {
            await eventually(async () => {
              const { alarm, tables, sockets } = await inspect(server.url, id);
              expect({ alarm, tables, sockets }).toEqual({ alarm: null, tables: {}, sockets: 0 });
            }, 20_000);
          }
        }),
        RUNS,
      );
    }, 120_000);
  },
);
