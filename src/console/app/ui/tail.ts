/** A list that shows its end as it grows, until somebody scrolls up to read. @module */
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Closer than this to the end is at the end, in pixels. */
const NEAR = 40;

/**
 * What the scrolling element takes.
 * @param content what it shows: anything that is another when there is more
 */
export function useTail<E extends HTMLElement>(
  content: unknown,
): { ref: RefObject<E | null>; onScroll: () => void } {
  const ref = useRef<E>(null);
  const isAtEnd = useRef(true);
  const before = useRef(0);
  useLayoutEffect(() => {
    if (isAtEnd.current) ref.current?.scrollTo({ top: ref.current.scrollHeight });
  }, [content]);
  return {
    ref,
    onScroll() {
      if (ref.current === null) return;
      const { scrollHeight, scrollTop, clientHeight } = ref.current;
      // The list may have grown since it was scrolled to its end: only going up says that somebody reads.
      if (scrollHeight - scrollTop - clientHeight < NEAR) isAtEnd.current = true;
      else if (scrollTop < before.current) isAtEnd.current = false;
      before.current = scrollTop;
    },
  };
}
