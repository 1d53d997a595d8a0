/**
 * Beside the first tests: has Node compile the test servers once, for all the times that they are started.
 * @module
 */
import { NODE } from "./node.ts";
import { ENTRY, run } from "./process.ts";

/** Nobody waits for it but the end of the run. */
export default function warm(): () => Promise<void> {
  const cluster = new URL("cluster-server.ts", import.meta.url).pathname;
  // Refused settings, so that each ends by itself, with all its modules loaded: only then does Node write.
  const warming = Promise.all(
    [ENTRY, cluster].map((entry) => run([...NODE, entry], { vars: { HOLDFAST_RETRY_MS: "none" } })),
  );
  return async () => void (await warming);
}
