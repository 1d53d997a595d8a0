import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import LongestFirst from "./test/support/longest-first.ts";

/** Where the random sequences of `test/exactly-once` begin. */
const seed = Number(process.env["SEQUENCE_SEED"] ?? Math.floor(Math.random() * 0x7fff_ffff));

export default defineConfig({
  test: {
    // Of ten seconds of a file four are processor time: two and a half files at a time for each core.
    maxWorkers: Math.min(8, Math.ceil(2.5 * availableParallelism())),
    sequence: { sequencer: LongestFirst },
    coverage: {
      provider: "v8",
      reportOnFailure: true,
      // What tests run in their own process; servers that tests start as programs, and workerd, are not seen.
      include: ["src/**/*.ts", "worker/wire*.ts", "worker/hub-wire.ts"],
      reporter: ["text", "json-summary", "html"],
    },
    projects: [
      {
        test: {
          name: "node",
          provide: { seed },
          include: ["test/**/*.test.ts"],
          exclude: ["test/workerd/**", "test/interop/.cache/**"],
          globalSetup: ["test/support/warm.ts"],
          // Five processes for all files: to load the SDKs in one for each was an eighth of all processor time.
          isolate: false,
          setupFiles: ["test/support/put-back.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/workerd/wrangler.toml" } })],
        test: {
          name: "workerd",
          provide: { seed },
          include: ["test/workerd/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
    ],
  },
});
