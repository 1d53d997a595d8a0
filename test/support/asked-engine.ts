/** Postgres as an engine that notes what it is asked. @module */
import type { Engine } from "../../src/cluster/engine.ts";
import { openPg } from "../../src/cluster/pg.ts";
import { postgresEngine } from "../../src/cluster/postgres.ts";

/** @returns the engine, and the names of its methods as they are called, in order */
export async function askedEngine(url: string): Promise<{ engine: Engine; asked: string[] }> {
  const asked: string[] = [];
  const real = postgresEngine(await openPg(url, () => {}));
  const engine = new Proxy(real, {
    get(target, name: keyof Engine) {
      return (...args: unknown[]) => {
        asked.push(name);
        return (target[name] as (...given: unknown[]) => unknown)(...args);
      };
    },
  });
  return { engine, asked };
}
