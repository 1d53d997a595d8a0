/** A user's state as it is stored: what tells one writing from another. */
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { answerUserRequest, type UserReply, type UserRequest } from "../../src/user/store.ts";
import { openSqlite } from "../../src/local/sqlite.ts";

afterEach(() => void vi.useRealTimers());

test("no writing has the number of an earlier one, whatever the clock says and whatever was deleted", () => {
  // It stands still, so that writings outrun it.
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
  const sql = openSqlite(":memory:");
  onTestFinished(() => sql.close());
  const ask = (request: UserRequest): UserReply =>
    answerUserRequest(sql, request, { owner: "o", maxBytes: 1e6 });
  const versions = [0];
  for (let n = 0; n < 100; n++) {
    const put = ask({ op: "put", name: "a", value: String(n) });
    if (put.kind !== "stored") throw new Error(put.kind);
    versions.push(put.version);
    if (n % 3 === 2) ask({ op: "delete", name: "a" });
    if (n % 10 === 9) vi.setSystemTime(1_000_000 - n);
  }
  expect(new Set(versions).size).toBe(101);
  expect(versions.every(Number.isSafeInteger)).toBe(true);
  // What was read before a deletion replaces nothing that was written after it.
  ask({ op: "put", name: "a", value: "now" });
  for (const ifVersion of versions) {
    expect(ask({ op: "put", name: "a", value: "stale", ifVersion }).kind).toBe("lost");
  }
});
