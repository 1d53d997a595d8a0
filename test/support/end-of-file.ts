/** What modules that files share have open for the file that is running, closed at its end (`put-back.ts`). @module */

let closers: (() => Promise<void>)[] = [];

/** For modules: an `afterAll` of theirs would be heard by the first file of a process alone. */
export function atEndOfFile(close: () => Promise<void>): void {
  closers.push(close);
}

/** In the order in which they came. */
export async function endFile(): Promise<void> {
  const closing = closers;
  closers = [];
  for (const close of closing) await close();
}
