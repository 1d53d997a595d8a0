/** Fan-out of `subscriptions/listen`: from the publication to the last delivery. @module */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { headersFor, modernRequest } from "../../test/support/modern.ts";
import type { Part, Verdict } from "../lib/part.ts";
import { brief, interleaved, median, pairwise, spread } from "../lib/stats.ts";
import {
  floorListen,
  holdfast,
  holdfastNode,
  type Running,
  sdkListen,
  type Subject,
} from "../lib/subjects.ts";

interface ListenRow {
  subject: string;
  listeners: number;
  firstMs: number;
  lastMs: number;
  eachUs: number;
  /** The time of the last delivery beside that of the other subject in the same rounds: the floor, or the SDK's bus. */
  ofFirst: number;
  spread: number;
}

interface Heard {
  readonly firstMs: number;
  readonly lastMs: number;
}

interface Open {
  readonly subject: Subject;
  readonly server: Running;
  readonly listeners: Listeners;
}

interface Listeners {
  /** Opens so many more that there are `count`. */
  grow(count: number): Promise<void>;
  /** Publishes; resolves once each listener has heard, to when the first and the last did. */
  hear(publish: () => Promise<unknown>): Promise<Heard>;
  close(): void;
}

const HOLDFAST = "holdfast, workerd, through the hub";
const GIVE_UP_MS = 60_000;
const ACKNOWLEDGED = "subscriptions/acknowledged";
const CHANGED = "tools/list_changed";

/** Sockets alone, so that ten thousand of them cost the listener's side as little as can be. */
function createListeners(url: string): Listeners {
  const { hostname, port, host } = new URL(url);
  const message = modernRequest(
    "subscriptions/listen",
    { notifications: { toolsListChanged: true } },
    "listen:0",
  );
  const body = JSON.stringify(message);
  const headers = Object.entries({
    Host: host,
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headersFor(message),
  });
  const request = `POST /mcp HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
  const sockets: Socket[] = [];
  let onChange: () => void = () => {};
  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      let before = "";
      let isOpen = false;
      socket.once("error", reject);
      socket.write(request);
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        const text = before + chunk;
        if (!isOpen && text.includes(ACKNOWLEDGED)) {
          isOpen = true;
          before = "";
          resolve();
        } else if (isOpen && text.includes(CHANGED)) {
          before = "";
          onChange();
        } else before = text;
      });
      socket.once("close", () => reject(new Error(`a listener was turned away: ${before.slice(0, 300)}`)));
    });
  return {
    async grow(count) {
      while (sockets.length < count)
        await Promise.all(Array.from({ length: Math.min(50, count - sockets.length) }, open));
    },
    close() {
      for (const socket of sockets)
        socket
          .removeAllListeners("close")
          .on("error", () => {})
          .destroy();
    },
    hear: (publish) =>
      new Promise((resolve, reject) => {
        const { length: count } = sockets;
        let heard = 0;
        let firstMs = 0;
        const from = performance.now();
        const givingUp = setTimeout(() => reject(new Error(`${heard} of ${count} heard`)), GIVE_UP_MS);
        onChange = () => {
          heard += 1;
          if (heard === 1) firstMs = performance.now() - from;
          if (heard < count) return;
          clearTimeout(givingUp);
          resolve({ firstMs, lastMs: performance.now() - from });
        };
        publish().catch(reject);
      }),
  };
}

export const listen: Part = {
  name: "listen",
  what: "`subscriptions/listen`: from the publication to the first and the last delivery, milliseconds",
  async run({ quick, say }) {
    const counts = quick ? [1, 100, 1000] : [1, 100, 1000, Math.min(10_000, mostSockets())];
    const most = Math.max(...counts);
    const rows: ListenRow[] = [];
    // Side by side, no more than two: four times as many sockets at once is more than many machines allow.
    for (const subjects of [
      [floorListen, holdfast],
      [sdkListen, holdfastNode],
    ]) {
      const opened: Open[] = [];
      try {
        for (const subject of subjects) {
          const server = await subject.start({ BENCH_LISTENERS: String(most) });
          opened.push({ subject, server, listeners: createListeners(server.url) });
        }
        for (const count of counts) {
          for (const { subject, listeners } of opened) {
            const from = performance.now();
            await listeners.grow(count);
            const lasted = brief(performance.now() - from);
            say(`${subject.name}: ${count} listeners, the last of them within ${lasted} ms`);
          }
          const hear = ({ server, listeners }: Open): Promise<Heard> =>
            listeners.hear(async () =>
              (await fetch(`${server.url}/__bench/publish`, { method: "POST" })).arrayBuffer(),
            );
          await interleaved(opened, 3, hear);
          const results = await interleaved(opened, quick ? 3 : 11, hear);
          const ground = results.get(opened[0] as Open) ?? [];
          for (const [{ subject }, taken] of results) {
            const lasts = taken.map(({ lastMs }) => lastMs);
            rows.push({
              subject: subject === holdfast ? HOLDFAST : subject.name,
              listeners: count,
              firstMs: median(taken.map(({ firstMs }) => firstMs)),
              lastMs: median(lasts),
              eachUs: (median(lasts) / count) * 1000,
              ofFirst: pairwise(taken, ground, "lastMs"),
              spread: spread(lasts),
            });
          }
        }
      } finally {
        for (const { server, listeners } of opened) {
          listeners.close();
          await server.close();
        }
      }
    }
    return { rows, verdicts: growth(rows) };
  },
  show: (rows) =>
    (rows as ListenRow[]).map((row) => ({
      subject: row.subject,
      listeners: row.listeners,
      "first ms": brief(row.firstMs),
      "last ms": brief(row.lastMs),
      "µs a listener": brief(row.eachUs),
      "× the one above": brief(row.ofFirst),
      "± %": brief((row.spread * 100) / 2),
    })),
};

/** What this machine allows: workerd holds two files open for each listener. */
function mostSockets(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  return Math.floor((Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024) - 1000) / 2 / 100) * 100;
}

/** How much dearer a listener is where there are most of them, beside what the runtime itself adds: the floor. */
function growth(rows: readonly ListenRow[]): Verdict[] {
  const [before, last] = rows.filter(({ subject }) => subject === HOLDFAST).slice(-2);
  if (before === undefined || last === undefined) return [];
  return [
    {
      target: `a listener at ${last.listeners} no dearer than at ${before.listeners}, or no more so than on the floor`,
      figure: `${brief(before.ofFirst)} × the floor's time, then ${brief(last.ofFirst)} ×`,
      // A quarter is left for what the machine does meanwhile.
      met: last.eachUs <= before.eachUs || last.ofFirst <= before.ofFirst * 1.25,
    },
  ];
}
