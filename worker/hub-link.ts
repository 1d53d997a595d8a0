/**
 * The listeners of one topic in one isolate, and the one link to the hub that they share.
 *
 * Workers tie a WebSocket to the request that opened it, so the link belongs to one listener's request.
 * When that client leaves, another listener's request opens the next link, from the last change that
 * was heard. Whoever waits here waits on a promise and a timer of its own request: a request with
 * nothing of its own pending is taken for hung, and a promise continues where it was made.
 * @module
 */
import { type Change, isKnown } from "../src/changes.ts";
import type { EventSink } from "../src/events.ts";
import { messageOf } from "../src/log-text.ts";
import { AFTER_HEADER, decodeFrame, HUB_PATHS, type HubFrame } from "./hub-wire.ts";
import { PING, PONG } from "./links.ts";
import { reportUnreadable, stamped } from "../src/wire/version.ts";

/** Those in this isolate who listen to one topic. */
export interface Listeners {
  subscribe(listener: (change: Change) => void): () => void;
  /** Resolves once the link is up; rejects where it is not within a few seconds. */
  ready(): Promise<void>;
  isIdle(): boolean;
}

/** Which hub, and how its link is kept; `beatMs` in milliseconds. */
export interface ListenersOptions {
  readonly topic: string;
  /** A stub of the hub's object, good for the request that asks for it. */
  readonly hub: () => DurableObjectStub;
  readonly emit: EventSink;
  /** How often the link shows that it is alive, and every listener looks whether it is. */
  readonly beatMs: number;
}

/** Pauses before each attempt to dial; the last one repeats. */
const DIAL_AFTER_MS = [0, 50, 100, 200, 400, 800, 1600, 3200, 5000];
const READY_WITHIN_MS = 5000;

/** A listener's request. */
interface Member {
  readonly deliver: (change: Change) => void;
  wake(): void;
  /** Ends the link, if this request holds it. */
  hangUp(): void;
}

/** Dials with the first that subscribes. */
export function createListeners({ topic, hub, emit, beatMs }: ListenersOptions): Listeners {
  const members = new Set<Member>();
  const waiting = new Set<() => void>();
  let holder: Member | undefined;
  let isUp = false;
  /** When the holder's link was last known to be alive. */
  let heardAt = 0;
  /** Number of the last change heard, by whichever link. */
  let cursor: number | undefined;

  const wakeAll = (): void => {
    for (const member of members) member.wake();
  };

  const hear = (frame: HubFrame): void => {
    const first = frame.seq - frame.changes.length + 1;
    cursor ??= frame.seq;
    if (first > cursor + 1) emit("listen.gap", { topic, missed: first - cursor - 1 });
    // Two links overlap for a moment where one was given up while it still lived.
    const fresh = frame.changes.slice(Math.max(0, cursor + 1 - first)).filter(isKnown);
    cursor = Math.max(cursor, frame.seq);
    for (const change of fresh) for (const member of members) member.deliver(change);
  };

  /** Opens a link from the member's request and holds it until it ends. True where it was up at all. */
  const hold = async (member: Member, attempts: number): Promise<boolean> => {
    const isAgain = cursor !== undefined;
    const headers = stamped({ Upgrade: "websocket" });
    if (cursor !== undefined) headers[AFTER_HEADER] = String(cursor);
    const { webSocket: socket, status } = await hub().fetch(HUB_PATHS.listen, { headers });
    if (!socket) throw new Error(`the hub answered ${status}`);
    if (holder !== member) {
      socket.accept();
      socket.close();
      return false;
    }
    let wasUp = false;
    await new Promise<void>((resolve) => {
      const beat = setInterval(() => {
        // A link whose pings are not answered is dead, whatever its state says.
        if (Date.now() - heardAt > 2.5 * beatMs) return member.hangUp();
        try {
          socket.send(PING);
        } catch {
          member.hangUp();
        }
      }, beatMs);
      member.hangUp = (): void => {
        member.hangUp = () => {};
        clearInterval(beat);
        try {
          socket.close(1000);
        } catch {
          // Closed already, by the other end.
        }
        resolve();
      };
      socket.addEventListener("message", ({ data }) => {
        if (holder !== member) return member.hangUp();
        heardAt = Date.now();
        if (data === PONG) return;
        try {
          hear(decodeFrame(data));
        } catch (error) {
          // The next link brings it again, in the version of its request.
          member.hangUp();
          return reportUnreadable(emit, { at: "edge", what: "frame" }, error);
        }
        if (wasUp) return;
        wasUp = isUp = true;
        if (isAgain) emit("listen.redialled", { topic, attempts });
        for (const resume of waiting) resume();
        waiting.clear();
      });
      socket.addEventListener("close", () => member.hangUp());
      socket.addEventListener("error", () => member.hangUp());
      socket.accept();
    });
    return wasUp;
  };

  /** Dials, and dials again, for as long as the member's request is the one to do it. */
  const keepLinked = async (member: Member): Promise<void> => {
    holder = member;
    for (let attempts = 1; members.has(member) && holder === member; attempts++) {
      heardAt = Date.now();
      const wasUp = await hold(member, attempts).catch((error: unknown) => {
        // The first attempts may meet a hub that is being reset.
        if (attempts > 2) emit("listen.link_failed", { topic, attempts, message: messageOf(error) });
        return false;
      });
      if (holder === member) isUp = false;
      if (wasUp) attempts = 0;
      const ms = DIAL_AFTER_MS[Math.min(attempts, DIAL_AFTER_MS.length - 1)] ?? 0;
      if (ms > 0 && members.has(member) && holder === member) await pause(member, ms);
    }
  };

  const tend = async (member: Member): Promise<void> => {
    while (members.has(member)) {
      // A holder that has not been heard of may have ended without a word: its request was cut off.
      const isLinked = holder !== undefined && Date.now() - heardAt <= 3 * beatMs;
      if (isLinked) await pause(member, beatMs);
      else await keepLinked(member);
    }
  };

  const leave = (member: Member): void => {
    if (!members.delete(member)) return;
    if (holder === member) {
      holder = undefined;
      isUp = false;
      wakeAll();
    }
    if (members.size === 0) cursor = undefined;
    member.hangUp();
    member.wake();
  };

  return {
    subscribe(listener) {
      const member: Member = { deliver: listener, wake() {}, hangUp() {} };
      members.add(member);
      void tend(member);
      return () => leave(member);
    },
    async ready() {
      if (isUp && Date.now() - heardAt <= 3 * beatMs) return;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let resume = (): void => {};
      try {
        await new Promise<void>((resolve, reject) => {
          resume = resolve;
          waiting.add(resume);
          timer = setTimeout(() => reject(new Error(`no link to the hub of ${topic}`)), READY_WITHIN_MS);
        });
      } finally {
        if (timer !== undefined) clearTimeout(timer);
        waiting.delete(resume);
      }
    },
    isIdle: () => members.size === 0,
  };
}

/** Waits `ms`, or until the member is woken. The timer is cleared by the request that set it. */
async function pause(member: Member, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
    member.wake = resolve;
  });
  if (timer !== undefined) clearTimeout(timer);
}
