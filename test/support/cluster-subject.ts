/** A cluster as the suites take any host. @module */
import { type Runtime, startCluster } from "./cluster.ts";
import { atEndOfFile } from "./end-of-file.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";
import type { Subject } from "./subject.ts";

/** A request meets the process that has its session or one that has not: a third would show nothing more. */
const PROCESSES = 2;

/** All that one file starts share a server of Postgres. Each is of two processes, on two of these runtimes by turns. */
export function clusterOf(name: string, runtimes: readonly Runtime[]): Subject {
  let server: Promise<TestDatabase> | undefined;
  let started = 0;
  const serverOfFile = (): Promise<TestDatabase> => {
    if (server === undefined) {
      const made = testDatabase();
      server = made;
      atEndOfFile(async () => {
        server = undefined;
        started = 0;
        await (await made).close();
      });
    }
    return server;
  };
  return {
    name,
    async start(vars = {}) {
      const database = await testDatabase((await serverOfFile()).url);
      const first = started++ % runtimes.length;
      const turn = [...runtimes.slice(first), ...runtimes.slice(0, first)];
      // `TEST_PROCESSES`: another number of them, for what is each one's own.
      const some = turn.slice(0, Number(vars["TEST_PROCESSES"] ?? PROCESSES));
      const cluster = await startCluster({ vars, runtimes: some, database });
      return {
        ...cluster,
        async close() {
          await cluster.close();
          await database.close();
        },
      };
    },
  };
}
