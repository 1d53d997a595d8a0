/** A cluster as the suites take any host. @module */
import { afterAll } from "vitest";
import { type Runtime, startCluster } from "./cluster.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";
import type { Subject } from "./subject.ts";

/** All that one file starts share a server of Postgres. */
export function clusterOf(name: string, runtimes: readonly Runtime[]): Subject {
  let server: Promise<TestDatabase> | undefined;
  afterAll(async () => (await server)?.close());
  return {
    name,
    async start(vars = {}) {
      server ??= testDatabase();
      const database = await testDatabase((await server).url);
      // `TEST_PROCESSES`: fewer of them, for what is each one's own.
      const some = runtimes.slice(0, Number(vars["TEST_PROCESSES"] ?? runtimes.length));
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
