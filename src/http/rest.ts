/**
 * What is left of the body of a request that is refused.
 *
 * An HTTP server that closes a connection over bytes which it has not read resets it, and the client loses the answer
 * with it (RFC 9112 §9.6): it is told of a broken connection, where it was to read 404 and begin anew. workerd closes so
 * beyond 64 KiB and lets nobody read on once the answer is out, so what is left is read, and thrown away, before.
 * @module
 */
import { within } from "../within.ts";

/** What every server reads for itself before it closes. */
const LITTLE = 65_536;
/**
 * How long the rest is waited for that does not come: its sender waits for the answer first, or is gone. Longer than a segment
 * that was lost takes to be sent again.
 */
const STILL_MS = 2000;

/**
 * Reads the rest of a body and keeps none of it: nothing where there is little, or more than anybody would wait for.
 *
 * What it leaves is the server's: Bun's takes a body without an end for as long as it comes, at gigabytes a second, unless
 * the answer closes the connection.
 * @param bounds the most that is read, in bytes, and for how long, in ms
 * @returns false where more of it may come: the connection is to be closed with the answer
 */
export async function discardRest(
  request: Request,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<boolean> {
  const { headers } = request;
  const header = headers.get("content-length");
  const announced = Number(header ?? 0);
  if (announced > bytes) return false;
  if (header !== null && announced <= LITTLE) return true;
  const { body } = request;
  // That of a GET is not to be had, and may come all the same.
  if (body === null) return header === null && !headers.has("transfer-encoding");
  // Whoever waits for a body that stands still has its lock.
  if (body.locked) return false;
  const reader = body.getReader();
  const until = Date.now() + ms;
  let left = bytes;
  try {
    while (left > 0 && Date.now() < until) {
      const next = await within(reader.read(), STILL_MS);
      if (next === undefined || next.done) return next !== undefined;
      left -= next.value.length;
    }
  } catch {
    // Cut off on the way, or read by somebody else.
  }
  return false;
}
