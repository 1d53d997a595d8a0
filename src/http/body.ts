/** Reads a request's body as text, within a limit that is kept while reading, not by header alone. @module */
import { bodyTooLarge, type Failure, parseError } from "../jsonrpc/failures.ts";

/** @param limit bytes */
export async function readBody(
  request: Request,
  limit: number,
): Promise<{ text: string } | { failure: Failure }> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) return { failure: bodyTooLarge(limit) };
  if (request.body === null) return { text: "" };
  const reader = request.body.getReader();
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
