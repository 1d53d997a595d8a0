/**
 * The part of the test page's script that reads event streams: text too, and apart from the rest because it can
 * be tested without a page.
 * @module
 */
export const PARSER: string = String.raw`
// What EventSource would make of the bytes: they may be cut anywhere, and lines end with LF, CR or both.
async function* events(body, place) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", wasCr = false, data = [], type = "", id = place.lastEventId;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    // A CR at the end of the chunk before has ended its line: the LF that belongs to it ends no other.
    const text = wasCr && value.startsWith("\n") ? value.slice(1) : value;
    if (value !== "") wasCr = value.endsWith("\r");
    const lines = (rest + text).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        place.lastEventId = id;
        if (data.length > 0) yield { type: type || "message", data: data.join("\n") };
        data = [];
        type = "";
        continue;
      }
      if (line.startsWith(":")) {
        yield { comment: line.slice(1).trimStart() };
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const content = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") data.push(content);
      else if (field === "event") type = content;
      else if (field === "id" && !content.includes("\0")) id = content;
      else if (field === "retry" && /^\d+$/.test(content)) place.retryMs = Number(content);
    }
  }
}
`;
