/** The time, as far as the page shows it: twice a second, and only while somebody sees it. @module */
import { signal } from "@preact/signals";

/** Milliseconds since 1970. */
export const now = signal(Date.now());

setInterval(() => {
  if (document.visibilityState === "visible") now.value = Date.now();
}, 500);
