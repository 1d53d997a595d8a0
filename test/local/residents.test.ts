/** What being in memory costs, by counts: nothing that is done for one session goes through all. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createResidents, type Resident, type Residents } from "../../src/local/residents.ts";
import type { Session } from "../../src/session/contract.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Sessions that are asked nothing but whether they are idle. */
function residentsOf(most: number, more: Partial<Session> = {}) {
  const asked = { idle: 0 };
  const errors: string[] = [];
  const gone: string[] = [];
  const residents = createResidents({
    now: Date.now,
    evictAfterMs: 1000,
    room: { most: () => most, mostNow: () => most },
    create: (id) =>
      ({
        isIdle() {
          asked.idle += 1;
          return true;
        },
        shutdown: () => void gone.push(id),
        ...more,
      }) as Session,
    onError: (id) => errors.push(id),
  });
  return { residents, asked, errors, gone };
}

const loadAll = (residents: Residents, count: number): Resident[] =>
  Array.from({ length: count }, (_, n) => residents.load(`s${n}`, n));

test("the end of the last hold settles, and no other looks for one", async () => {
  const { residents } = residentsOf(Infinity);
  const releases = loadAll(residents, 5000).map((resident) => residents.hold(resident));
  const settled = vi.fn();
  const walks = vi.spyOn(Map.prototype, "values");
  const iterations = vi.spyOn(Map.prototype, Symbol.iterator);
  void residents.settled(2000).then(settled);
  for (const release of releases.slice(1)) release();
  await vi.advanceTimersByTimeAsync(0);
  expect(settled).not.toHaveBeenCalled();
  releases[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(settled).toHaveBeenCalledOnce();
  // Others have maps of their own, the test runner among them.
  const walked = [walks, iterations].flatMap(({ mock }) => mock.contexts as Map<unknown, unknown>[]);
  expect(walked.filter(({ size }) => size === 5000)).toEqual([]);
});

test("a session that two hold, or that was forgotten meanwhile, counts once", async () => {
  const { residents } = residentsOf(Infinity);
  const [a, b] = loadAll(residents, 2) as [Resident, Resident];
  const releases = [residents.hold(a), residents.hold(a), residents.hold(b)];
  const settled = vi.fn();
  void residents.settled(2000).then(settled);
  residents.forget("s1");
  for (const release of releases) {
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).not.toHaveBeenCalled();
    release();
  }
  await vi.advanceTimersByTimeAsync(0);
  expect(settled).toHaveBeenCalledOnce();
});

test("room is made by looking at one session, in the order of use", () => {
  const { residents, asked, gone } = residentsOf(1000);
  const all = loadAll(residents, 1000);
  // The first is used again.
  residents.hold(all[0] as Resident)();
  for (let n = 0; n < 500; n++) {
    expect(residents.admit(`new ${n}`)).toBe(true);
    residents.load(`new ${n}`, 1000 + n);
  }
  expect(asked.idle).toBe(500);
  expect(gone).toEqual(all.slice(1, 501).map(({ key }) => `s${key}`));
  expect(residents.size).toBe(1000);
});

test("sessions at work that nobody holds are not looked at without end, and are asked again later", () => {
  let isIdle = false;
  const { residents } = residentsOf(1000, { isIdle: () => isIdle });
  loadAll(residents, 1000);
  expect(residents.admit("one more")).toBe(false);
  // One that is there already needs no room.
  expect(residents.admit("s3")).toBe(true);
  isIdle = true;
  expect(residents.admit("one more")).toBe(true);
});

test("held sessions are never dropped for others", () => {
  const { residents, gone } = residentsOf(10);
  const releases = loadAll(residents, 10).map((resident) => residents.hold(resident));
  expect(residents.admit("one more")).toBe(false);
  releases[4]?.();
  expect(residents.admit("one more")).toBe(true);
  expect(gone).toEqual(["s4"]);
});

test("one that throws as it is let go keeps no other in memory, and is told of", async () => {
  let calls = 0;
  const { residents, errors } = residentsOf(Infinity, {
    shutdown() {
      calls += 1;
      if (calls % 2 === 1) throw new Error("not me");
    },
  });
  loadAll(residents, 10);
  await vi.advanceTimersByTimeAsync(1500);
  expect(residents.size).toBe(0);
  expect(calls).toBe(10);
  expect(errors).toEqual(["s0", "s2", "s4", "s6", "s8"]);
  loadAll(residents, 10);
  residents.shutdown();
  expect(calls).toBe(20);
  expect(errors).toHaveLength(10);
});
