/**
 * Why a row is not `ok`: in whose hands it lies, and where that can be read. Each result that `isBad` needs one;
 * the first that fits is taken.
 * @module
 */
export interface Reason {
  /** `client`: nothing that a server sends could change it. `server`: a server can spare the client this. */
  readonly side: "client" | "server";
  readonly why: string;
  readonly link: readonly [text: string, url: string];
  readonly clients: RegExp;
  readonly parts: RegExp;
  readonly rows: RegExp;
  readonly results?: RegExp;
  /** It shows now in one row, now in another: where it is recorded in one, it is no news in the others. */
  readonly isUnsteady?: boolean;
}

const issue = (path: string): readonly [string, string] => {
  const [repository = "", kind = "issues", number = ""] = path.split("#");
  return [`${repository.split("/")[1]}#${number}`, `https://github.com/${repository}/${kind}/${number}`];
};

const ANY = /./;
const TYPESCRIPT = /^(ts-|mcp-remote)/;
const PYTHON = /^(python|openai)/;
/** Rows that look whether the standalone stream is there. */
const HEARD = /^heard/;

export const REASONS: readonly Reason[] = [
  {
    side: "client",
    why: "The Go SDK before 1.4 ends itself on any status between 400 and 499 but 429, whatever the answer holds.",
    link: [
      "go-sdk 1.3.1, checkResponse",
      "https://github.com/modelcontextprotocol/go-sdk/blob/v1.3.1/mcp/streamable.go#L1873",
    ],
    clients: /^go-sdk-1\.3/,
    parts: /^calls/,
    rows: /^after/,
    isUnsteady: true,
  },
  {
    side: "server",
    why: "The Go SDK over HTTP+SSE takes a frame that holds `retry:` alone for a message, and cannot connect. On Node the frame comes in one piece with the one before it, and is lost.",
    link: issue("modelcontextprotocol/go-sdk#issues#768"),
    clients: /^go-sdk/,
    parts: /^sse/,
    rows: /^connect/,
  },
  {
    side: "client",
    why: "The Java SDK takes a 400 for the loss of its session, and opens another: what was in the first is gone.",
    link: issue("modelcontextprotocol/java-sdk#pull#469"),
    clients: /^java/,
    parts: /^calls/,
    rows: /^after 400/,
  },
  {
    side: "client",
    why: "The Java SDK opens its session anew after a 404, but the call that met it fails.",
    link: issue("modelcontextprotocol/java-sdk#pull#469"),
    clients: /^java/,
    parts: /^(wiped|expired)/,
    rows: /^call/,
  },
  {
    side: "server",
    why: "The refusal has `id: null`, which answers no call: rmcp waits on, without a time limit of its own.",
    link: ["JSON-RPC 2.0, 5", "https://www.jsonrpc.org/specification#response_object"],
    clients: /^rmcp/,
    parts: /^calls/,
    rows: /^refused/,
    isUnsteady: true,
  },
  {
    side: "server",
    why: "The refusal has `id: null`, which the Go SDK cannot decode: it ends the session.",
    link: ["JSON-RPC 2.0, 5", "https://www.jsonrpc.org/specification#response_object"],
    clients: /^go-sdk/,
    parts: /^calls/,
    rows: /^after/,
    isUnsteady: true,
  },
  {
    side: "client",
    why: "An error status other than 404 ends the Python SDK 1.x.",
    link: issue("modelcontextprotocol/python-sdk#issues#3091"),
    clients: /^python-1/,
    parts: /^calls/,
    rows: /^after/,
  },
  {
    side: "client",
    why: "The TypeScript SDK 1.x and the AI SDK take the session that the 404 names only after the call that met it has failed, and do not open the standalone stream there.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#1708"),
    clients: /^(ts-1|ai-sdk)/,
    parts: /^expired-rotate/,
    rows: ANY,
  },
  {
    side: "client",
    why: "The session is taken up again, but the network was gone for longer than the client tries to open its standalone stream again.",
    link: issue("modelcontextprotocol/python-sdk#issues#3257"),
    clients: /^python/,
    parts: /^expired-revive/,
    rows: HEARD,
  },
  {
    side: "client",
    why: "The session is taken up again, but the network was gone for longer than the client tries to open its standalone stream again: twice, within 2.5 s.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#2098"),
    clients: /^ts-1\.20/,
    parts: /^expired-revive/,
    rows: HEARD,
  },
  {
    side: "client",
    why: "The TypeScript SDK does not open its session anew after a 404.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#1708"),
    clients: /^ts-/,
    parts: /^(wiped|expired)/,
    rows: ANY,
  },
  {
    side: "client",
    why: "The Python SDK does not open its session anew after a 404.",
    link: issue("modelcontextprotocol/python-sdk#issues#3556"),
    clients: PYTHON,
    parts: /^(wiped|expired)/,
    rows: ANY,
  },
  {
    side: "client",
    why: "The Go SDK leaves it to its user to open the session anew after a 404.",
    link: issue("modelcontextprotocol/go-sdk#issues#715"),
    clients: /^go-sdk/,
    parts: /^(wiped|expired)/,
    rows: ANY,
  },
  {
    side: "client",
    why: "mcp-go and the AI SDK leave it to their user to open the session anew after a 404.",
    link: issue("modelcontextprotocol/conformance#issues#76"),
    clients: /^(mark3labs|ai-sdk)/,
    parts: /^(wiped|expired)/,
    rows: ANY,
  },
  {
    side: "server",
    why: "mcp-go opens its standalone stream again without `Last-Event-ID`, and hears once more what was sent since the connection before the last.",
    link: ["mcp-go#317", "https://github.com/mark3labs/mcp-go/pull/317"],
    clients: /^mark3labs/,
    parts: /^(restarts|outage)/,
    rows: HEARD,
    results: /\//,
    isUnsteady: true,
  },
  {
    side: "client",
    why: "mcp-go answers no request of the server over HTTP+SSE.",
    link: ["mcp-go, sse.go", "https://github.com/mark3labs/mcp-go/blob/main/client/transport/sse.go"],
    clients: /^mark3labs/,
    parts: /^sse/,
    rows: /^ask/,
  },
  {
    side: "client",
    why: "In HTTP+SSE the session is its stream: with the stream the Python and Go clients end.",
    link: issue("modelcontextprotocol/python-sdk#issues#1811"),
    clients: /^(python|openai|go-sdk)/,
    parts: /^sse/,
    rows: ANY,
  },
  {
    side: "client",
    why: "mcp-remote opens another session when it has lost its stream, but the call that found it gone fails.",
    link: ["mcp-remote#106", "https://github.com/punkpeye/mcp-remote/issues/106"],
    clients: /^mcp-remote/,
    parts: /^sse/,
    rows: ANY,
  },
  {
    side: "client",
    why: "In HTTP+SSE the session is its stream. The client opens another, which it does not initialise, or none, and goes on posting to the session that it had: that is refused at once.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#510"),
    clients: /^(ts-|ai-sdk|java|mark3labs)/,
    parts: /^sse/,
    rows: ANY,
  },
  {
    side: "server",
    why: "The Python SDK counts broken connections of its standalone stream for its whole life, and gives up at the second, unless one ends in order between them.",
    link: issue("modelcontextprotocol/python-sdk#issues#3257"),
    clients: /^python-(1\.3|2)/,
    parts: /^restarts/,
    rows: HEARD,
  },
  {
    side: "client",
    why: "The Python SDK 1.22 and older neither opens a broken stream again nor ends the call that waits on it.",
    link: issue("modelcontextprotocol/python-sdk#issues#1811"),
    clients: /^python-1\.12/,
    parts: /^(restarts|outage|rotation)/,
    rows: ANY,
  },
  {
    side: "server",
    why: "A connection that breaks before the answer has begun ends the Python client. In 2026-07-28 a silent call's answer begins late.",
    link: issue("modelcontextprotocol/python-sdk#issues#915"),
    clients: PYTHON,
    parts: /^restarts/,
    rows: /^after kill/,
  },
  {
    side: "client",
    why: "A connection that is refused ends the Python client.",
    link: issue("modelcontextprotocol/python-sdk#issues#915"),
    clients: PYTHON,
    parts: /^outage/,
    rows: ANY,
  },
  {
    side: "client",
    why: "The TypeScript SDK tries twice to open its standalone stream again, `retryMs` apart, and then no more.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#2098"),
    clients: TYPESCRIPT,
    parts: /^outage/,
    rows: HEARD,
  },
  {
    side: "server",
    why: "The TypeScript SDK before 1.24 opens a stream again that broke, but not one that ended in order, and resumes no call.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#1061"),
    clients: /^ts-1\.20/,
    parts: /^rotation/,
    rows: ANY,
  },
  {
    side: "client",
    why: "The TypeScript SDK does not end a call whose stream broke, where it cannot resume it (2026-07-28, and before 1.24): it waits for its time-out.",
    link: issue("modelcontextprotocol/typescript-sdk#issues#2739"),
    clients: TYPESCRIPT,
    parts: /^restarts/,
    rows: /^killed/,
  },
  {
    side: "client",
    why: "The AI SDK resumes no call, and has no time-out but the one that its user sets.",
    link: issue("vercel/ai#issues#19205"),
    clients: /^ai-sdk/,
    parts: /^(restarts|rotation)/,
    rows: /^(killed|call)/,
  },
  {
    side: "client",
    why: "The Java SDK does not open a stream again, ended or broken; a call that waits on it waits for its time-out.",
    link: [
      "java-sdk, HttpClientStreamableHttpTransport",
      "https://github.com/modelcontextprotocol/java-sdk/blob/main/mcp-core/src/main/java/io/modelcontextprotocol/client/transport/HttpClientStreamableHttpTransport.java",
    ],
    clients: /^java/,
    parts: /^(restarts|outage|rotation|wiped|expired)/,
    rows: ANY,
  },
  {
    side: "server",
    why: "The Java SDK up to 2.0.1 knows no `retry:`: such a line breaks the stream that it comes on, be it a call's, the standalone one, or that of HTTP+SSE.",
    link: issue("modelcontextprotocol/java-sdk#issues#1047"),
    clients: /^java-2\.0/,
    parts: ANY,
    rows: ANY,
  },
];
