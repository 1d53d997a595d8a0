/** What is done with a client, part by part; what came of it is noted. @module */
import { setTimeout as pause } from "node:timers/promises";
import { ending, outcome, type Stage } from "./stage.ts";

/** Larger than the 100 kB that must pass. */
export const MAX_BODY_BYTES: number = 200_000;
const KILLED_CALL_MS = 5000;
/** Longer than the sessions' time, which is 2 s, and the tenth by which they may end late. */
export const AWAY_MS: number = 4500;
/** Longer than two tries of the SDK's clients to reconnect. */
const OUTAGE_MS = 12_000;
/** After which clients that wait twice as long each time have tried again. */
const BACKOFF_MS = 14_000;

export async function basics(stage: Stage): Promise<void> {
  const { note, lacks, lab } = stage;
  const client = await stage.open();
  if (client.version !== undefined) note("version", client.version);
  const list = await client.list();
  note("list", outcome(list, list.ok && Number(list.value) >= 6));
  const echo = await client.call("echo", { text: "hello" });
  note("echo", outcome(echo, echo.value === "hello"));

  // The last of four comes together with the result, and some clients handle the result first: not asked for.
  const before = client.heardProgress();
  const slept = await client.call("sleep", { ms: 800, steps: 4 }, { progress: true });
  await client.untilProgress(before + 3);
  const heard = client.heardProgress() - before;
  const isHeard = heard === 3 || heard === 4;
  note("progress", lacks("progress") ? "–" : slept.ok && !isHeard ? `${heard}/4` : outcome(slept));

  note("standalone", await client.standalone(4000));
  for (const [row, on] of [
    ["ask", "request"],
    ["ask standalone", "standalone"],
  ] as const) {
    const isAsked = !lacks("elicitation") && (on === "request" || client.hasSession);
    const answer = isAsked ? await client.call("ask", { message: "Colour?", on }) : undefined;
    note(row, answer === undefined ? "–" : outcome(answer, String(answer.value).includes("blue")));
  }
  const long = await client.call("echo", { text: "x".repeat(100_000) });
  note("100 kB", outcome(long, long.ok && long.length === 100_000));

  const sent = lab.proxy.methods.length;
  const closed = await client.close();
  note(
    "close",
    closed.ok ? (lab.proxy.methods.slice(sent).includes("DELETE") ? "DEL" : "none") : outcome(closed),
  );
}

/** For how long a client's stream is waited for that the network took. */
const STREAM_LIMIT_MS = 8000;

/** A request that is turned away, and the call after it. */
export async function refused(stage: Stage): Promise<void> {
  const large = await stage.open();
  await large.count();
  stage.note("refused 413", ending(await large.call("echo", { text: "x".repeat(MAX_BODY_BYTES + 1) })));
  await pause(300);
  stage.note("after 413", await large.count());
  await large.close();

  const damaged = await stage.open();
  await damaged.count();
  const wasDamaged = stage.lab.proxy.damageNext();
  const answer = await damaged.call("echo", { text: "x" });
  if (!wasDamaged()) return;
  stage.note("refused 400", ending(answer));
  await pause(300);
  stage.note("after 400", await damaged.count());
  await damaged.close();
}

export async function restarts(stage: Stage, rounds = 3): Promise<void> {
  const client = await stage.open();
  for (let round = 1; round <= rounds; round++) {
    await client.count();
    await stage.lab.restart();
    stage.note(`restart ${round}`, await client.count());
    stage.note(`heard ${round}`, await client.standalone());
  }
  await client.close();
}

export async function killedInCall(stage: Stage): Promise<void> {
  const client = await stage.open();
  await client.count();
  const sent = stage.lab.proxy.untilSent('"sleep"', KILLED_CALL_MS);
  const call = client.call("sleep", { ms: KILLED_CALL_MS, steps: 5 }, { progress: true });
  await sent;
  await pause(1500);
  await stage.lab.restart(500);
  stage.note("killed", ending(await call));
  stage.note("after kill", await client.count());
  stage.note("heard after kill", await client.standalone());
  await client.close();
}

export async function outage(stage: Stage): Promise<void> {
  const client = await stage.open();
  await client.count();
  const back = stage.lab.restart(OUTAGE_MS);
  await pause(1000);
  const call = client.call("echo", { text: "x" });
  await back;
  stage.note("down", ending(await call));
  stage.note("after outage", await client.count());
  stage.note("heard after outage", await client.standalone(BACKOFF_MS));
  await client.close();
}

/** Four calls after the session is gone: whether the client finds its way back, and how soon. */
export async function fourCalls(stage: Stage, gone: () => Promise<void>, keepsState = false): Promise<void> {
  const client = await stage.open();
  await client.count();
  const sent = stage.lab.proxy.methods.length;
  const cameBack = (): boolean => stage.lab.proxy.methods.slice(sent).includes("GET");
  await gone();
  for (const n of [1, 2, 3, 4]) {
    stage.note(`call ${n}`, outcome(await client.call("echo", { text: "x" })));
    await pause(200);
  }
  if (keepsState) {
    stage.note("state", await client.count());
    // Its session lives for 2 s in this part, and a client may wait for longer before it opens its stream again.
    for (const until = Date.now() + STREAM_LIMIT_MS; !cameBack() && Date.now() < until; await pause(500))
      await client.call("echo", { text: "still there" });
  }
  stage.note("heard", await client.standalone());
  await client.close();
}

export async function rotation(stage: Stage): Promise<void> {
  const client = await stage.open();
  stage.note("call", outcome(await client.call("sleep", { ms: 6000, steps: 6 }, { progress: true })));
  // Long enough for the standalone stream to be ended again and again.
  await pause(5000);
  stage.note("heard", await client.standalone());
  await client.close();
}
