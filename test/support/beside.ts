/** Tests that wait more than they compute, beside each other. @module */
import { describe } from "vitest";

/**
 * `describe.each` whose cases run at the same time, each on servers of its own, while the tests of one run one after the
 * other: for tests that mostly wait for a deadline, an alarm or a restart. Unlike tests that are `concurrent` themselves
 * these may kill their server. In either, `onTestFinished` is the one of the test's context: the imported one takes
 * whichever test began last.
 */
export function describeBeside<Case extends object>(
  cases: readonly Case[],
  title: string,
  tests: (one: Case) => void,
): void {
  describe.concurrent.each(cases)(title, (one) => {
    describe("in order", { concurrent: false }, () => tests(one));
  });
}
