/** A client that stops reading: nothing grows with what it does not take. @module */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type McpSession, openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const MESSAGES = 260;
const CHARACTERS = 400_000;
/** What the server may grow by: windows, page caches, garbage. Without a bound it would be twice the text, 200 MB. */
const MOST_GROWTH = 96 * 2 ** 20;

/** Resident memory of a process, in bytes. */
function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

/** GETs the stream and never reads from it. */
function stall(server: Workerd, session: McpSession): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const headers = Object.entries({ ...session.headers, Accept: "text/event-stream", Host: "localhost" });
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.pause();
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.write(`GET /mcp HTTP/1.1\r\n${lines}\r\n`, () => resolve(socket));
    });
    socket.once("error", reject);
  });
}

describe("a reader that stalls", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd({
      vars: {
        HOLDFAST_SEND_TIMEOUT_MS: "700",
        HOLDFAST_KEEPALIVE_MAX_FAILURES: "3",
        HOLDFAST_MAX_STORED_BYTES: String(8 * 2 ** 20),
      },
    });
  });
  afterAll(() => server.close());

  it("is sent no more than a window, is closed by the send time-out, and resumes with the gap said", async () => {
    const session = await openSession(server.url);
    // What a burst costs a server anyway is not what is measured.
    await session.tool("burst", { tag: "warm", sizes: [CHARACTERS], on: "standalone" });
    await session.tool("settle");

    const socket = await stall(server, session);
    await eventually(() => expect(server.events().map(({ type }) => type)).toContain("connection.setup"));
    const before = residentBytes(server.pid);
    let highest = before;
    const sampling = setInterval(() => {
      highest = Math.max(highest, residentBytes(server.pid));
    }, 20);
    try {
      const sizes = Array.from({ length: MESSAGES }, () => CHARACTERS);
      await session.tool("burst", { tag: "much", sizes, on: "standalone" });
      // Read to its end: it takes as long as storing the burst does.
      const settled = await session.post(toolCall("settle"));
      expect(await settled.text()).toContain("settled");
    } finally {
      clearInterval(sampling);
    }
    const growth = highest - before;
    console.log(
      `${(MESSAGES * CHARACTERS) / 1e6} MB sent to a stalled reader: +${Math.round(growth / 2 ** 20)} MiB`,
    );
    expect(growth).toBeLessThan(MOST_GROWTH);

    await eventually(() => {
      const disconnects = server.events().filter(({ type }) => type === "test.disconnect");
      expect(disconnects.map(({ reason }) => reason)).toContain("failures");
    });
    socket.destroy();

    // Back again, from the start: what is still held comes in order, and what is not is said.
    const stream = await session.get();
    const last = await stream.message(
      (message) => (message.params?.["data"] as { n?: number })?.n === MESSAGES,
    );
    expect(last.params?.["data"]).toMatchObject({ tag: "much", n: MESSAGES });
    const gaps = stream.seen.filter((item) => item.type === "comment" && item.text.includes("gap:"));
    expect(gaps).toHaveLength(1);
    expect(server.events().map(({ type }) => type)).toEqual(
      expect.arrayContaining(["queue.overflow", "replay.gap"]),
    );
    stream.leave();
  }, 90_000);
});
