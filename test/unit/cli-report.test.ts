/** What the command line prints of a server's strings. */
import { describe, expect, it } from "vitest";
import { type Report, toJson, toText } from "../../src/client/cli-report.ts";

/** Clears the screen, sets the clipboard, by 7-bit and by 8-bit controls; goes back over what is there. */
const HOSTILE = "\u001b[2J\u001b]52;c;ZXZpbA==\u0007 \u009b2J \u0008\u007f\u0000 \u202eevil\u202c";
const BREAK = "name\n[ERROR] forged\r\nClosed.\rClosed.";

const reports = (text: string): Report[] => [
  {
    type: "connected",
    url: "http://localhost/mcp",
    era: "session",
    protocolVersion: text,
    sessionId: text,
    server: { name: text, version: text },
    capabilities: { [text]: {} },
    ms: 1,
  },
  { type: "tools", tools: [{ name: text, description: text, inputSchema: { [text]: text } }] },
  { type: "progress", progress: 1, message: text },
  { type: "notification", method: text, params: { text } },
  {
    type: "result",
    tool: "echo",
    isError: false,
    content: [{ type: text, data: "", mimeType: text }],
    ms: 1,
  },
  { type: "error", reason: "http", message: text, status: 500 },
  { type: "ping-failed", message: text },
  { type: "dropped", stream: "call", cause: new Error(text) },
  { type: "interrupted", ids: [1], reason: text },
  { type: "resumed", stream: "call", attempts: 1, downMs: 1, eventId: text },
  { type: "gap", stream: "standalone", eventId: text },
];

describe("words", () => {
  it.each(reports(HOSTILE))("$type: no control of the server's reaches the terminal", (report) => {
    expect(toText(report)).not.toMatch(/[^\P{Cc}\n]|[\u202a-\u202e]/u);
    expect(toText(report)).toContain("evil");
  });

  it.each(reports(BREAK))("$type: a text with line breaks makes no lines that look like ours", (report) => {
    const plain = reports("name").find(({ type }) => type === report.type) as Report;
    expect(toText(report).split("\n")).toHaveLength(toText(plain).split("\n").length);
  });

  it("a result's text keeps its lines and tabs, and nothing else that moves the cursor", () => {
    const text = `a\tb\nc\r\nd\re${HOSTILE}`;
    const shown = toText({
      type: "result",
      tool: "t",
      isError: false,
      content: [{ type: "text", text }],
      ms: 1,
    });
    expect(shown).toContain("a\tb\nc\nd\ufffde\ufffd[2J\ufffd]52;c;ZXZpbA==\ufffd \ufffd2J");
  });

  it("as JSON all of it is there, escaped", () => {
    const line = toJson({ type: "error", reason: "http", message: HOSTILE, status: 500 });
    expect(JSON.parse(line)).toMatchObject({ message: HOSTILE });
    expect(line).not.toContain("\u001b");
  });
});
