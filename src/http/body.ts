/** Reads a request's body as text, within a limit that is kept while reading, not by header alone. @module */
import { bodyTooLarge, type Failure, parseError } from "../jsonrpc/failures.ts";

/** Without state between whole texts: one serves all. */
const whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** @param limit bytes */
export async function readBody(
  request: Request,
  limit: number,
): Promise<{ text: string } | { failure: Failure }> {
  const announced = request.headers.get("content-length");
  if (Number(announced ?? 0) > limit) return { failure: bodyTooLarge(limit) };
  // Without a look at `body`: where a server makes it on demand, that costs more than all the rest.
  if (announced !== null) return readWhole(request, limit);
  return request.body === null ? { text: "" } : readChunks(request.body, limit);
}

/** HTTP holds a body to its announced length, so it can be taken at once: far cheaper than chunk by chunk. */
async function readWhole(request: Request, limit: number): Promise<{ text: string } | { failure: Failure }> {
  try {
    const bytes = await request.arrayBuffer();
    return bytes.byteLength > limit ? { failure: bodyTooLarge(limit) } : { text: whole.decode(bytes) };
  } catch {
    return { failure: parseError };
  }
}

async function readChunks(
  body: ReadableStream<Uint8Array>,
  limit: number,
): Promise<{ text: string } | { failure: Failure }> {
  const reader = body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode() };
      bytes += value.length;
      if (bytes > limit) {
        await reader.cancel();
        return { failure: bodyTooLarge(limit) };
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // Not UTF-8, or cut off on the way: either way it is not a JSON text.
    return { failure: parseError };
  }
}
