/**
 * Cuts a byte stream into runs of whole frames, whatever its chunking. What is not whole is held
 * back, so a link that breaks in the middle of a frame never leaves half a frame with the client.
 * @module
 */

import { join } from "./join.ts";

const LF = 10;

/** Feed it chunks; it returns the whole frames that are complete by then, or undefined for none yet. */
export interface Deframer {
  push(chunk: Uint8Array): Uint8Array | undefined;
}

/** Frames end with LF LF, as `frames.ts` writes them. */
export function createDeframer(): Deframer {
  let held: Uint8Array[] = [];
  let endsWithLf = false;

  const take = (chunk: Uint8Array, end: number): Uint8Array => {
    const whole = chunk.subarray(0, end);
    if (held.length === 0) return whole;
    const parts = [...held, whole];
    held = [];
    return join(parts);
  };

  return {
    push(chunk) {
      if (chunk.length === 0) return undefined;
      const end = endOfLastFrame(chunk, endsWithLf);
      endsWithLf = chunk[chunk.length - 1] === LF;
      if (end === 0) {
        // Concatenating on every chunk would be quadratic in the size of a large frame.
        held.push(chunk);
        return undefined;
      }
      const frames = take(chunk, end);
      if (end < chunk.length) held = [chunk.subarray(end)];
      return frames;
    },
  };
}

/** Where the last whole frame ends in `chunk`; 0 where none does. */
function endOfLastFrame(chunk: Uint8Array, previousEndsWithLf: boolean): number {
  let at = chunk.lastIndexOf(LF);
  while (at > 0) {
    if (chunk[at - 1] === LF) return at + 1;
    at = chunk.lastIndexOf(LF, at - 1);
  }
  return at === 0 && previousEndsWithLf ? 1 : 0;
}

/** Splits a run of whole frames into its frames. */
export function splitFrames(run: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let start = 0;
  for (let at = run.indexOf(LF); at !== -1; at = run.indexOf(LF, at + 1)) {
    if (run[at + 1] !== LF) continue;
    frames.push(run.subarray(start, at + 2));
    start = at + 2;
    at += 1;
  }
  return frames;
}
