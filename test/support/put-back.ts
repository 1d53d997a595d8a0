/** What a test file left or changed in the process that it shares with the files after it, ended or put back. @module */
import { afterAll, vi } from "vitest";
import { endFile } from "./end-of-file.ts";

afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  await endFile();
});
