/** Within a server on Node, before its own code (`--import`): a line with what collections have taken, for each SIGUSR2. @module */
import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import process from "node:process";

let fullMs = 0;
let allMs = 0;
/** As Node gives one of a collection. */
type Collection = PerformanceEntry & { readonly detail: { readonly kind: number } };

const add = (entries: readonly PerformanceEntry[]): void => {
  for (const { duration, detail } of entries as readonly Collection[]) {
    allMs += duration;
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) fullMs += duration;
  }
};
const observer = new PerformanceObserver((list) => add(list.getEntries()));
observer.observe({ entryTypes: ["gc"] });
process.on("SIGUSR2", () => {
  add(observer.takeRecords());
  console.log(`collections ${fullMs} ${allMs}`);
});
