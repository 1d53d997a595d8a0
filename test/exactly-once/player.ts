/** Plays a sequence, then lets every stream run out. @module */
import { within } from "../support/wait.ts";
import { type Call, type Client, createClient, type Stored, type World } from "./client.ts";
import type { Sequence, Step } from "./steps.ts";
import type { Track } from "./track.ts";

/** What a client has received, and what the session has stored, after everything was sent. */
export interface Played {
  readonly session: string;
  readonly standalone: Track;
  readonly calls: readonly Call[];
  readonly dropped: readonly string[];
  readonly stored: Stored;
}

export async function play({ version, steps }: Sequence, world: World): Promise<Played> {
  const client = await createClient(world, version);
  try {
    const disturbances: Promise<void>[] = [];
    for (const step of steps) await run(step, client, disturbances);
    return { ...client, stored: await runOut(client, world, disturbances) };
  } finally {
    client.leave();
  }
}

async function run(step: Step, client: Client, disturbances: Promise<void>[]): Promise<void> {
  switch (step.do) {
    case "burst":
      client.call("burst", step);
      return;
    case "idle":
      return new Promise((resolve) => setTimeout(resolve, step.ms));
    case "kill":
      return client.disturb("kill");
    case "abort":
    case "evict": {
      // Not awaited: the next steps meet the session as it dies.
      const over = client.disturb(step.do);
      over.catch(() => {});
      disturbances.push(over);
      return;
    }
    default: {
      const track = trackOf(client, step.which);
      if (track !== undefined) return onTrack(step, client, track);
    }
  }
}

/** 0 is the standalone stream, the rest are the calls' own. */
function trackOf({ standalone, calls }: Client, which: number): Track | undefined {
  return which === 0 ? standalone : calls[(which - 1) % Math.max(calls.length, 1)]?.track;
}

async function onTrack(step: Extract<Step, { which: number }>, client: Client, track: Track): Promise<void> {
  await track.opening;
  const isStandalone = track === client.standalone;
  switch (step.do) {
    case "attach":
      if (!isStandalone && track.lastEventId === undefined) return;
      // Without an id there is no telling what a reset that comes meanwhile makes of it.
      if (isStandalone && step.bare) return client.takeOver();
      track.opening = client.resume(track);
      track.opening.catch(() => {});
      if (step.waits) await track.opening;
      return;
    case "leave":
      // Before a frame has named a place, a client that leaves cannot come back without a loss.
      if (track.lastEventId !== undefined) track.current?.leave(step.afterBytes);
      return;
    case "stall":
      return track.current?.pause();
    case "read":
      return track.current?.resume();
  }
}

/** Waits for all that is owed and all that is stored. */
async function runOut(client: Client, world: World, disturbances: readonly Promise<void>[]): Promise<Stored> {
  const { standalone, calls, session } = client;
  await within(
    Promise.all([standalone.opening, ...calls.map(({ track }) => track.opening)]),
    "the answers to all GETs",
  );
  // At once: an eviction waits for calls, which wait for their reader.
  await Promise.all([...disturbances, ...calls.map(client.finish)]);
  // Answered once no burst of this isolate runs any more; the bursts need a reader meanwhile.
  const settle = async (): Promise<void> => {
    const call = client.call("settle");
    await client.finish(call);
    if (call.lost) await settle();
  };
  let settled = false;
  const settling = settle().finally(() => (settled = true));
  await Promise.all([settling, client.listen(() => settled)]);

  const stored = await world.inspect(session);
  const id = stored.tables["session"]?.[0]?.["standalone"];
  const events = (stored.tables["event"] ?? []).filter(({ stream }) => stream === id);
  const last = Math.max(0, ...events.map(({ seq }) => Number(seq)));
  await client.listen(() => standalone.runs().flat().length >= last);
  return stored;
}
