/** What a soak does to one server, from its start to its end. @module */
import process from "node:process";
import { createHttp, type Http } from "./http.ts";
import { type Counted, openClient, type SoakClient, type World } from "./client.ts";
import { type Faults, noFaults } from "./account.ts";
import { filesOf, type SoakHost, type SoakServer } from "./hosts.ts";
import { keptMs, one, plan, settingsFor, upTo } from "./plan.ts";
import type { Sample, Soaked } from "./verdict.ts";

export interface StormOptions {
  readonly host: SoakHost;
  readonly minutes: number;
  /** Sessions with an open stream, at any time. */
  readonly streams: number;
  /** Calls a second that are aimed at. */
  readonly rate: number;
  readonly say: (text: string) => void;
}

/** Calls that are under way at once. */
const CALLERS = 24;
/** When the server is killed: shares of the time. From the last on it must live, for its memory to be judged. */
const KILLS = [0.08, 0.16, 0.24, 0.32];
/** How many times memory is looked at. */
const LOOKS = 60;
/** Lines of the server's that are shown where a soak cannot go on. */
const LAST_WORDS = 10;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What is shared by all who make the storm. */
interface Storm {
  readonly world: World;
  readonly server: SoakServer;
  readonly options: StormOptions;
  readonly done: Record<string, number>;
  readonly faults: Faults;
  /** Sessions that are open, and those of them that no call is made in. */
  readonly free: SoakClient[];
  readonly all: Set<SoakClient>;
  isOver: boolean;
  /** Set while memory is looked at: nobody calls. */
  quiet: Promise<void> | undefined;
  underway: number;
  calls: number;
}

/** Soaks one server; closes it. */
export async function soak(options: StormOptions): Promise<Soaked> {
  const { host, minutes, say } = options;
  const server = await host.start(settingsFor(minutes));
  const end = (): void => void (server.pid > 0 && process.kill(server.pid, "SIGKILL"));
  process.once("exit", end);
  try {
    return await soaked(server, options);
  } catch (error) {
    // It may have ended by itself: its last words say why.
    for (const line of server.lines.slice(-LAST_WORDS)) say(`the server said: ${line}`);
    throw error;
  } finally {
    say("closing");
    await server.close();
    process.off("exit", end);
  }
}

async function soaked(server: SoakServer, options: StormOptions): Promise<Soaked> {
  const { minutes, streams, say } = options;
  const faults = noFaults(say);
  const http: Http = createHttp(`${server.url}/mcp`);
  let deaths = 0;
  let cuts = 0;
  let coming: Promise<void> = Promise.resolve();
  const aborted = new Map<string, number>();
  const deathsOf = (session: string): number => deaths + (aborted.get(session) ?? 0);
  const done: Record<string, number> = {
    sessions: 0,
    "quick calls": 0,
    "streamed calls": 0,
    "standalone bursts": 0,
    "calls resumed": 0,
    "calls interrupted": 0,
    "calls that broke": 0,
    "streams resumed": 0,
    kills: 0,
    cuts: 0,
    drops: 0,
    stalls: 0,
    ...(server.abort === undefined ? {} : { "objects aborted": 0 }),
  };
  const add = (what: string, count = 1): void => void (done[what] = (done[what] ?? 0) + count);
  const world: World = {
    http,
    faults,
    up: () => coming,
    watch(session) {
      const before = deathsOf(session);
      // Each death counts as it begins and as it is over: in between the number is odd.
      return () => deathsOf(session) > before || deaths % 2 === 1 || (aborted.get(session) ?? 0) % 2 === 1;
    },
    cuts: () => cuts,
    count: (what: Counted) => add(what),
  };
  const storm: Storm = {
    world,
    server,
    options,
    done,
    faults,
    free: [],
    all: new Set(),
    isOver: false,
    quiet: undefined,
    underway: 0,
    calls: 0,
  };

  // Once through everything, so that what is made once is there before descriptors are counted.
  const first = await openClient(world);
  await first.call({ on: "quick", count: 0, everyMs: 0, dropsAfter: undefined });
  await first.call({ on: "request", count: 5, everyMs: 30, dropsAfter: undefined });
  await first.end("deleted");
  const before = await settledFiles(server, http, { wanted: Infinity, lingerMs: 15_000 });
  say(`${before} descriptors before the first stream`);

  const openAnother = async (): Promise<void> => {
    const client = await openClient(world);
    storm.all.add(client);
    storm.free.push(client);
  };
  for (let opened = 0; opened < streams; opened += 16)
    await Promise.all(Array.from({ length: Math.min(16, streams - opened) }, openAnother));
  say(`${streams} streams stand open, ${filesOf(server.pid)} descriptors`);

  const startedAt = Date.now();
  const endsAt = startedAt + minutes * 60_000;
  const samples: Sample[] = [];

  const kill = async (): Promise<void> => {
    let arrived = (): void => {};
    coming = new Promise((resolve) => (arrived = resolve));
    deaths += 1;
    await server.kill();
    await pause(upTo(1000));
    await server.restart();
    // What was under way as it came up is still this death's.
    deaths += 1;
    add("kills");
    arrived();
  };
  const abort = async (): Promise<void> => {
    const client = [...storm.all].at(Math.floor(Math.random() * storm.all.size));
    if (client === undefined || server.abort === undefined) return;
    const again = (): void => void aborted.set(client.session, (aborted.get(client.session) ?? 0) + 1);
    again();
    await coming;
    await server.abort(client.session).catch(() => {});
    again();
    add("objects aborted");
  };
  const cut = (): void => {
    cuts += 1;
    add("cuts");
    http.cutAll();
  };

  const callers = Array.from({ length: CALLERS }, () => keepCalling(storm, openAnother));
  const disturb = async (): Promise<void> => {
    const kills = KILLS.map((share) => startedAt + share * minutes * 60_000);
    let nextCut = Date.now() + 10_000;
    while (!storm.isOver) {
      await pause(200);
      if (storm.quiet !== undefined) continue;
      if (kills[0] !== undefined && Date.now() >= kills[0]) {
        kills.shift();
        say("SIGKILL");
        await kill();
      }
      const client = [...storm.all].at(Math.floor(Math.random() * storm.all.size));
      if (client !== undefined && one(3)) {
        add("drops");
        client.drop();
      } else if (client !== undefined && one(5)) {
        add("stalls");
        client.stall(upTo(3000));
      }
      if (one(10)) await abort();
      if (Date.now() >= nextCut) {
        nextCut = Date.now() + Math.max(20_000, (minutes * 60_000) / 20);
        cut();
      }
    }
  };
  const storming = Promise.all([...callers, disturb()]);

  const every = Math.max(3000, (minutes * 60_000) / LOOKS);
  while (Date.now() < endsAt) {
    // The storm ends on its own only where something in it failed.
    await Promise.race([pause(Math.min(every, Math.max(0, endsAt - Date.now()))), storming]);
    const sample = await quietly(storm, async () => {
      const { heap, resident } = await server.memory();
      const at = (Date.now() - startedAt) / 1000;
      return { at, calls: storm.calls, heap, resident, files: filesOf(server.pid) };
    });
    samples.push(sample);
    if (samples.length % 6 === 0) say(describe(sample, faults));
  }
  storm.isOver = true;
  await storming;
  say("all clients leave");
  await Promise.all([...storm.all].map((client, index) => client.end(index % 2 === 0 ? "deleted" : "left")));
  // Those who left without a word have sessions until their time is up, and a look at them after that.
  const after = await settledFiles(server, http, { wanted: before, lingerMs: 2 * keptMs(minutes) + 30_000 });
  say(`${after} descriptors after the last stream`);
  const unreadable = server
    .events()
    .filter(({ type }) => type === "wire.unreadable" || type === "session.error");
  for (const event of unreadable.slice(0, 5)) faults.said.push(JSON.stringify(event));
  return { samples, faults, files: { before, after }, done };
}

/** Calls in one session after another, and has some of them end for others to begin. */
async function keepCalling(storm: Storm, openAnother: () => Promise<void>): Promise<void> {
  const { free, all, options, world } = storm;
  const meanMs = (CALLERS / options.rate) * 1000;
  while (!storm.isOver) {
    const startedAt = Date.now();
    await storm.quiet;
    await world.up();
    const [client] = free.splice(Math.floor(Math.random() * free.length), 1);
    if (client === undefined) {
      await pause(20);
      continue;
    }
    storm.underway += 1;
    try {
      await client.call(plan());
      storm.calls += 1;
      if (one(100)) {
        all.delete(client);
        await client.end(one(2) ? "deleted" : "left");
        await openAnother();
      } else free.push(client);
    } finally {
      storm.underway -= 1;
    }
    await pause(Math.max(0, Math.random() * 2 * meanMs - (Date.now() - startedAt)));
  }
}

/** Looks while nothing is under way. */
async function quietly<T>(storm: Storm, look: () => Promise<T>): Promise<T> {
  let go = (): void => {};
  storm.quiet = new Promise((resolve) => (go = resolve));
  try {
    await storm.world.up();
    for (let tries = 0; storm.underway > 0 && tries < 400; tries++) await pause(25);
    return await look();
  } finally {
    storm.quiet = undefined;
    go();
  }
}

/** Descriptors once they have come down to so many, or have not for as long as sessions may linger. */
async function settledFiles(
  server: SoakServer,
  http: Http,
  { wanted, lingerMs }: { readonly wanted: number; readonly lingerMs: number },
): Promise<number> {
  const until = Date.now() + lingerMs;
  // A connection that is kept for the next call is no leak: the client's agent lets it go within seconds.
  while (http.open() > 0 && Date.now() < until) await pause(100);
  let files = filesOf(server.pid);
  let least = files;
  while (Date.now() < until && (wanted === Infinity || least > wanted)) {
    await pause(500);
    files = filesOf(server.pid);
    least = Math.min(least, files);
  }
  return least;
}

function describe({ at, calls, heap, resident, files }: Sample, faults: Faults): string {
  const mebibytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);
  const { lost, twice, hung, wrong } = faults;
  return `${at.toFixed(0)} s: ${calls} calls, heap ${mebibytes(heap)}, resident ${mebibytes(resident)} MiB, ${files} descriptors; ${lost} lost, ${twice} twice, ${hung} hung, ${wrong} wrong`;
}
