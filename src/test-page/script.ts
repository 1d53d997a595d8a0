/**
 * The test page's script, as the browser gets it: text, because a function turned into text is not what was
 * written once a bundler has been at it. The browser tests run all of it.
 * @module
 */
import { PARSER } from "./parser.ts";

/** The script, for the page's one `script` element. */
export const SCRIPT: string = String.raw`
const VERSION = "2025-11-25";
const MAX_ENTRIES = 1000;
// Beside the page, whatever the mount.
const endpoint = location.pathname.replace(/\/test\/?$/, "/mcp");
const $ = (id) => document.getElementById(id);

// The one session, from the click on Connect until it is over; undefined between.
let session;
let lastId = 0;

$("endpoint").textContent = endpoint;
$("connect").addEventListener("click", connect);
$("disconnect").addEventListener("click", disconnect);
$("ping").addEventListener("click", () => session && request(session, "ping"));
$("tools").addEventListener("click", () => session && request(session, "tools/list"));
$("clear").addEventListener("click", () => $("log").replaceChildren());
// Not awaited: "keepalive" lets the request outlive the page.
addEventListener("pagehide", disconnect);

async function connect() {
  if (session) return;
  const mine = { abort: new AbortController(), id: undefined, version: undefined };
  session = mine;
  show("Connecting");
  const answer = await request(mine, "initialize", {
    protocolVersion: VERSION,
    capabilities: {},
    clientInfo: { name: "holdfast-test-page", version: "1" },
  });
  if (session !== mine) return;
  if (!answer?.result) return over(mine);
  mine.version = answer.result.protocolVersion;
  await post(mine, { jsonrpc: "2.0", method: "notifications/initialized" });
  if (session !== mine) return;
  show("Connected");
  if (mine.id) listen(mine);
}

async function disconnect() {
  const mine = session;
  if (!mine) return;
  over(mine);
  if (!mine.id) return;
  try {
    const response = await fetch(endpoint, { method: "DELETE", headers: headersOf(mine), keepalive: true });
    write(response.ok ? "status" : "error", "DELETE: " + response.status);
  } catch (error) {
    write("error", "DELETE: " + error.message);
  }
}

function over(mine) {
  if (session !== mine) return;
  session = undefined;
  mine.abort.abort();
  show("Disconnected");
}

async function request(mine, method, params) {
  return post(mine, { jsonrpc: "2.0", id: ++lastId, method, params });
}

// Sends a message. For a request, resolves to its response, or to undefined where there was none.
async function post(mine, message) {
  write("sent", message);
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        ...headersOf(mine),
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
      },
      body: JSON.stringify(message),
      signal: mine.abort.signal,
    });
    if (!response.ok) return await refused(mine, "POST", response);
    mine.id ??= response.headers.get("Mcp-Session-Id") ?? undefined;
    const type = response.headers.get("Content-Type") ?? "";
    let answer;
    const hear = (payload) => {
      for (const received of receive(mine, payload)) {
        if (!received.method && received.id === message.id) answer = received;
      }
    };
    if (type.startsWith("text/event-stream")) await follow(mine, response, hear, () => answer);
    else if (type.startsWith("application/json")) hear(await response.text());
    if (message.method && message.id !== undefined && !answer) write("error", message.method + ": no answer");
    return answer;
  } catch (error) {
    if (!mine.abort.signal.aborted) write("error", message.method + ": " + error.message);
  }
}

// The standalone stream, for as long as the session lasts.
async function listen(mine) {
  try {
    const response = await open(mine);
    if (response.status === 405) return write("status", "The server has no standalone stream");
    if (!response.ok) return await refused(mine, "GET", response);
    write("status", "The standalone stream is open");
    await follow(mine, response, (payload) => receive(mine, payload), () => false, show);
  } catch (error) {
    if (mine.abort.signal.aborted) return;
    write("error", "GET: " + error.message);
  }
}

// Reads a stream until it is done; where it ends before, comes back to where it was, and says so.
async function follow(mine, response, hear, isDone, say = () => {}) {
  const place = { lastEventId: "", retryMs: 1000 };
  for (;;) {
    try {
      for await (const event of events(response.body, place)) {
        if (event.comment !== undefined) write("comment", event.comment);
        else if (event.type !== "message") write("event", event.type + " " + event.data);
        else if (event.data !== "") hear(event.data);
      }
    } catch (error) {
      if (mine.abort.signal.aborted) throw error;
    }
    if (isDone()) return;
    write("status", "The stream ended; it is resumed in " + place.retryMs + " ms");
    if (session === mine) say("Reconnecting");
    response = await reopen(mine, place);
    if (!response.ok) return await refused(mine, "GET", response);
    if (session === mine) say("Connected");
  }
}

// An error status is an answer; only a server that cannot be reached is tried again.
async function reopen(mine, place) {
  for (;;) {
    await pause(place.retryMs, mine.abort.signal);
    try {
      return await open(mine, place.lastEventId);
    } catch (error) {
      if (mine.abort.signal.aborted) throw error;
    }
  }
}

function open(mine, lastEventId) {
  const headers = { ...headersOf(mine), Accept: "text/event-stream" };
  if (lastEventId) headers["Last-Event-ID"] = lastEventId;
  return fetch(endpoint, { headers, signal: mine.abort.signal });
}

${PARSER}
// Shows what came, answers what asks, and returns the messages.
function receive(mine, payload) {
  let messages;
  try {
    messages = [JSON.parse(payload)].flat();
  } catch {
    write("error", "Not JSON: " + payload);
    return [];
  }
  for (const message of messages) {
    const asks = message.method && message.id !== undefined;
    write(asks ? "request" : message.method ? "notification" : message.error ? "error" : "response", message);
    if (!asks) continue;
    const reply = message.method === "ping"
      ? { result: {} }
      : { error: { code: -32601, message: "The test page does not answer this" } };
    post(mine, { jsonrpc: "2.0", id: message.id, ...reply });
  }
  return messages;
}

async function refused(mine, method, response) {
  write("error", method + ": " + response.status + " " + (await response.text()));
  // The session is gone; there is nothing to delete.
  if (response.status === 404) over(mine);
}

function headersOf({ id, version }) {
  const authorization = $("authorization").value.trim();
  return {
    ...(authorization && { Authorization: authorization }),
    ...(id && { "Mcp-Session-Id": id }),
    ...(version && { "MCP-Protocol-Version": version }),
  };
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function show(status) {
  $("status").textContent = status;
  const isOn = status === "Connected" || status === "Reconnecting";
  $("connect").disabled = session !== undefined;
  $("disconnect").disabled = $("ping").disabled = $("tools").disabled = !isOn;
}

function write(kind, content) {
  const entry = document.createElement("li");
  entry.className = kind;
  const label = document.createElement("b");
  label.textContent = new Date().toLocaleTimeString() + " " + kind;
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
  entry.append(label, " " + text);
  const log = $("log");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(entry);
  while (log.childElementCount > MAX_ENTRIES) log.firstElementChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}
`;
