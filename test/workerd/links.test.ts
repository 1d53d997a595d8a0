/** How often an edge speaks to an object that sends, where each time is paid for, and how it knows that nobody is there. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { socketLink } from "../../worker/links.ts";

/** `waitUntil` would move the clock. */
const realTimeout = globalThis.setTimeout;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** A link, the other end of its socket, and what has come there. */
interface Linked {
  readonly link: ReturnType<typeof socketLink>;
  readonly socket: WebSocket;
  readonly heard: string[];
  /** What tells that a beat has come to its end. */
  readonly proof: "ping" | "pong";
}

/** The other end answers pings, as the runtime does, unless it is dead. */
function linked({ answers = true } = {}): Linked {
  const pair = new WebSocketPair();
  const heard: string[] = [];
  pair[1].accept();
  pair[1].addEventListener("message", ({ data }) => {
    heard.push(String(data));
    if (answers && data === "ping") pair[1].send("pong");
  });
  const link = socketLink(pair[0], undefined);
  // After the link has heard it.
  pair[0].addEventListener("message", ({ data }) => void (data === "pong" && heard.push(data)));
  return { link, socket: pair[1], heard, proof: answers ? "pong" : "ping" };
}

/** What was sent until now has arrived: it is behind it on the same socket. */
async function arrived({ link, heard, proof }: Linked): Promise<string[]> {
  link.beat();
  while (!heard.includes(proof)) await new Promise((resolve) => realTimeout(resolve, 1));
  return heard.splice(0).filter((message) => message !== "ping" && message !== "pong");
}

describe("an edge acknowledges", () => {
  test("once a second while something comes, the last that its client has, and nothing while nothing does", async () => {
    const linkedTo = linked();
    const { link, socket } = linkedTo;
    for (let seq = 1; seq <= 50; seq++) {
      socket.send("event");
      await link.read();
      link.ack(seq);
    }
    vi.advanceTimersByTime(999);
    expect(await arrived(linkedTo)).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(await arrived(linkedTo)).toEqual(["ack 50"]);
    vi.advanceTimersByTime(3_600_000);
    expect(await arrived(linkedTo)).toEqual([]);
  });

  test("at once after 64 KiB, and not once more for them", async () => {
    const linkedTo = linked();
    const { link, socket } = linkedTo;
    socket.send("x".repeat(65_536));
    await link.read();
    link.ack(7);
    vi.advanceTimersByTime(10_000);
    expect(await arrived(linkedTo)).toEqual(["ack 7"]);
  });

  test("nothing once it has left: the end says how far it came", async () => {
    const { link, socket, heard } = linked();
    const closed = new Promise<string>((resolve) =>
      socket.addEventListener("close", ({ reason }) => resolve(reason)),
    );
    socket.send("event");
    await link.read();
    link.ack(3);
    link.close("client", 3);
    vi.advanceTimersByTime(10_000);
    expect(await closed).toBe("client 3");
    expect(heard).toEqual([]);
  });
});

describe("an edge that pings", () => {
  const BEAT_MS = 15_000;

  test("takes a link for dead on which nothing follows for 25 seconds, and closes it", async () => {
    const linkedTo = linked({ answers: false });
    const { link, socket } = linkedTo;
    const closed = new Promise<void>((resolve) => socket.addEventListener("close", () => resolve()));
    const read = link.read();
    for (let beats = 0; beats < 2; beats++) {
      expect(await arrived(linkedTo)).toEqual([]);
      vi.advanceTimersByTime(BEAT_MS);
    }
    link.beat();
    expect(await read).toBeUndefined();
    await closed;
  });

  test("goes on with one that answers, and with one on which something else comes", async () => {
    for (const answers of [true, false]) {
      const linkedTo = linked({ answers });
      const { link, socket } = linkedTo;
      for (let beats = 0; beats < 10; beats++) {
        expect(await arrived(linkedTo)).toEqual([]);
        socket.send("event");
        expect(new TextDecoder().decode(await link.read())).toBe("event");
        vi.advanceTimersByTime(BEAT_MS);
      }
    }
  });
});
