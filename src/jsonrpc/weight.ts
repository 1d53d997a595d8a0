/**
 * What a body takes once it is parsed, and how deep it nests: told from its text, since a parsed value would have to be
 * walked, and 4 MB of `{},{},…` are 85 MB of objects.
 * @module
 */

/** What is told of a text. */
export interface Weight {
  /** About how many bytes its value takes as objects, the text itself included. */
  readonly bytes: number;
  /** How many arrays and objects stand within one another. */
  readonly depth: number;
}

/**
 * Deepest that a message may nest. What nests some thousands deep is parsed without recursion, and cannot be written
 * again, nor stored, nor handed on, as deep in the stack as that is done. Other parsers end at as much, or at less.
 */
export const MOST_DEPTH = 1000;
/** Characters of a text that is not worth a look: it can neither nest too deep nor take more than its call does anyway. */
export const LIGHT: number = 2 * MOST_DEPTH;

/** Bytes of an array or object, of a string, and of a place in either, as V8 has them: rather too many. */
const CONTAINER = 96;
const STRING = 24;
const PLACE = 8;

const NOTHING: Weight = { bytes: 0, depth: 0 };

/** @param text JSON; strings are leapt over, which makes a body that is mostly one cost next to nothing */
export function weigh(text: string): Weight {
  const { length } = text;
  if (length <= LIGHT) return NOTHING;
  let bytes = length;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at);
        bytes += STRING;
        break;
      case 0x5b:
      case 0x7b:
        depth += 1;
        if (depth > deepest) deepest = depth;
        bytes += CONTAINER;
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
      case 0x2c:
        bytes += PLACE;
        break;
      default:
    }
  }
  return { bytes, depth: deepest };
}

/** Where the string that begins at `start` ends: at a quote with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
    let before = end - 1;
    while (text.charCodeAt(before) === 0x5c) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
}
