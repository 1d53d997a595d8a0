/** What is streamed, by every server that is measured. @module */

const PADDING = "x".repeat(60);

/** The n-th notification of a burst: about 170 bytes. */
export function notification(n: number): {
  method: "notifications/message";
  params: { level: "info"; logger: string; data: { n: number; padding: string } };
} {
  return {
    method: "notifications/message",
    params: { level: "info", logger: "bench", data: { n, padding: PADDING } },
  };
}
