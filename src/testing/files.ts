/** Where the sessions of a test are: files of its own, which leave with it. The one adapter of `node:fs`. @module */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Database files, one for each time that the server is started after it was killed. */
export interface Files {
  /** The file to start on. */
  readonly path: string;
  /**
   * From here on `path` is a copy of the file as it is now: all that a process which is killed in this moment has
   * stored, and nothing that its code, which goes on here, stores later.
   */
  fork(): void;
  remove(): void;
}

/** Makes a directory of its own under the system's. */
export function createFiles(): Files {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-testing-"));
  let count = 0;
  const pathOf = (n: number): string => join(directory, `sessions-${n}.db`);
  return {
    get path() {
      return pathOf(count);
    },
    fork() {
      const from = pathOf(count);
      count += 1;
      // In one turn, so that no write comes between; the lock is exclusive, so there is no shared memory to copy.
      for (const end of ["", "-wal"]) {
        if (existsSync(from + end)) copyFileSync(from + end, pathOf(count) + end);
      }
    },
    remove() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
