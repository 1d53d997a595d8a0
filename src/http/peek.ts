/** The id of a request whose body is too large to be read. @module */
import { peekRequestId } from "../jsonrpc/envelope.ts";
import type { RequestId } from "../jsonrpc/messages.ts";

/** How long the beginning of a body is waited for: it has mostly come with the headers. */
const PEEK_MS = 500;
/** How far into the body the id is looked for. */
const PEEK_BYTES = 4096;

/** Null where the id does not stand at the beginning, or the body has been read from already. */
export async function peekId(request: Request): Promise<RequestId | null> {
  if (request.bodyUsed || request.body === null) return null;
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), PEEK_MS);
  const reader = request.body.getReader();
  try {
    const first = await Promise.race([reader.read(), late.promise]);
    const bytes = first?.value?.subarray(0, PEEK_BYTES);
    return bytes === undefined ? null : peekRequestId(new TextDecoder().decode(bytes));
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    // Not by `cancel`, which on some runtimes closes the connection under the answer. workerd lets no lock go
    // that a read still waits with: the request's end does.
    try {
      reader.releaseLock();
    } catch {}
  }
}
