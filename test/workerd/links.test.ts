/** How often an edge speaks to an object that sends: each time is a message that is paid for. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { socketLink } from "../../worker/links.ts";

/** `waitUntil` would move the clock. */
const realTimeout = globalThis.setTimeout;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A link, the other end of its socket, and what has come there. */
function linked(): { link: ReturnType<typeof socketLink>; socket: WebSocket; heard: string[] } {
  const pair = new WebSocketPair();
  const heard: string[] = [];
  pair[1].accept();
  pair[1].addEventListener("message", ({ data }) => void heard.push(String(data)));
  return { link: socketLink(pair[0], undefined), socket: pair[1], heard };
}

/** What was sent until now has arrived: it is behind it on the same socket. */
async function arrived(link: ReturnType<typeof socketLink>, heard: string[]): Promise<string[]> {
  link.beat();
  while (!heard.includes("ping")) await new Promise((resolve) => realTimeout(resolve, 1));
  return heard.splice(0).filter((message) => message !== "ping");
}

describe("an edge acknowledges", () => {
  test("once a second while something comes, the last that its client has, and nothing while nothing does", async () => {
    const { link, socket, heard } = linked();
    for (let seq = 1; seq <= 50; seq++) {
      socket.send("event");
      await link.read();
      link.ack(seq);
    }
    vi.advanceTimersByTime(999);
    expect(await arrived(link, heard)).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(await arrived(link, heard)).toEqual(["ack 50"]);
    vi.advanceTimersByTime(3_600_000);
    expect(await arrived(link, heard)).toEqual([]);
  });

  test("at once after 64 KiB, and not once more for them", async () => {
    const { link, socket, heard } = linked();
    socket.send("x".repeat(65_536));
    await link.read();
    link.ack(7);
    vi.advanceTimersByTime(10_000);
    expect(await arrived(link, heard)).toEqual(["ack 7"]);
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
