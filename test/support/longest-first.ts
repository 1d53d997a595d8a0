/** The order of test files: those that take longest first, so that none of them is left to run alone at the end. @module */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files of a quarter of a minute and more, by their paths below `test`; what is missing here is only begun a little late. */
const LONG = [
  // Not long, but of another project: a process goes on with the next file only where that is of its own.
  "workerd/",
  "browser/browser",
  "behaviour/cluster",
  "auth/expiry-slow",
  "cluster/kills",
  "behaviour/",
  "footprint/heap",
  "tasks/restart",
  "package/package",
  "local/limits",
  "client/cli.",
  "templates/",
  "exactly-once/workerd",
  "cluster/tasks",
  "answered/",
  "local/program",
  "cluster/",
  "auth/sdk-flow",
  "deploys/cluster",
  "readme/",
  "client/",
  "modern/conformance",
  "footprint/",
  "modern/hub-link",
  "tasks/",
];

/** The first of those that it is; behind them all for any other. */
function rank({ moduleId }: TestSpecification): number {
  const [, path = ""] = moduleId.split("/test/");
  const found = LONG.findIndex((long) => path.startsWith(long));
  return found === -1 ? LONG.length : found;
}

/** Within one rank as vitest has it: what failed or took long the last time, where it knows. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}
