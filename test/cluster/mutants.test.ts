/** Without the fence, without the gate, and where calls are sent again, the tests of each go red: they can fail. */
import { afterAll, expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { type Mutant, type Mutation, mutant as copyWith } from "../support/mutant.ts";
import { killedUnderCall, toldBeforeStored, zombie } from "./scenarios.ts";

const ENTRY = "test/support/cluster-server.ts";
const made: Mutant[] = [];
afterAll(() => {
  for (const copy of made) copy.remove();
});

/** The test server of a copy of the code, in which something is replaced that is there exactly once. */
function mutant(...mutations: readonly Mutation[]): string {
  const copy = copyWith(mutations);
  made.push(copy);
  return copy.path(ENTRY);
}

const NO_FENCE: Mutation = {
  file: "src/cluster/postgres.ts",
  from: "WHERE id = $1 AND alive AND flush = $2 - 1 RETURNING",
  to: "WHERE id = $1 RETURNING",
};
const NO_GATE: Mutation = {
  file: "src/cluster/gate.ts",
  from: "    if (last > done) return last;\n",
  to: "",
};
const NO_GATE_ANSWERS: Mutation = {
  file: "src/cluster/answers.ts",
  from: "if (gate.isHeld() && !gate.isDirty(owned.key)) return reply;",
  to: "if (gate.isHeld()) return reply;",
};

const SENT_AGAIN: Mutation = {
  file: "src/cluster/errands.ts",
  from: 'if (!(error instanceof Refused) || place.kind !== "there") throw error;',
  to: 'if (!(error instanceof Refused) || place.kind !== "there") continue;',
};

/** @param play what must find nothing wrong */
async function judged(
  entry: string | undefined,
  play: (cluster: Cluster) => Promise<string[]>,
): Promise<string[]> {
  const vars = { TEST_LEASE_MS: play === zombie ? "1000" : "20000" };
  const cluster = await startCluster({
    vars,
    runtimes: ["node", "node"],
    ...(entry !== undefined && { entry }),
  });
  try {
    return await play(cluster);
  } finally {
    await cluster.close();
  }
}

test("a zombie writes nothing and answers nothing", { timeout: 120_000 }, async () => {
  expect(await judged(undefined, zombie)).toEqual([]);
});

test("without the fence it writes on", { timeout: 120_000 }, async () => {
  expect((await judged(mutant(NO_FENCE), zombie)).join()).toContain("the zombie wrote");
});

test("nothing is told before it is stored", { timeout: 120_000 }, async () => {
  expect(await judged(undefined, toldBeforeStored)).toEqual([]);
});

test("without the gate all of it is", { timeout: 120_000 }, async () => {
  const wrong = await judged(mutant(NO_GATE), toldBeforeStored);
  for (const what of ["an answer", "the end of a session", "an event", "initialized"]) {
    expect(wrong.join()).toContain(`${what}`);
  }
  expect(wrong.length).toBeGreaterThanOrEqual(6);
});

test("with a gate for frames alone, answers are", { timeout: 120_000 }, async () => {
  const wrong = (await judged(mutant(NO_GATE_ANSWERS), toldBeforeStored)).join();
  expect(wrong).toContain("an answer on its owner was told");
  expect(wrong).toContain("an answer elsewhere was told");
  expect(wrong).not.toContain("an event was told");
});

test("a call that may have run is not sent again", { timeout: 120_000 }, async () => {
  expect(await judged(undefined, killedUnderCall)).toEqual([]);
});

test("where it is, it runs again", { timeout: 120_000 }, async () => {
  const wrong = await judged(mutant(SENT_AGAIN), killedUnderCall);
  expect(wrong).toEqual(["the call was sent again", "its tool ran 1 times"]);
});
