/**
 * `npm run interop`: real clients against real servers, as processes that are killed. What is worse than the
 * table in docs/clients.md says fails the run.
 * @module
 */
import { parseArgs } from "node:util";
import { CLIENTS, type ClientDefinition } from "./clients.ts";
import { type Job, nameOf, type Outcome, placeOf } from "./job.ts";
import { closeLabs, HOSTS } from "./lab.ts";
import { PARTS, suits } from "./parts.ts";
import { comesAndGoes, isNoNews, unexplained } from "./explain.ts";
import { type Change, type Changes, changes, isOfTime, type Rows, rowsAt, withRows } from "./results.ts";
import { readResults, writeResults } from "./results-file.ts";
import { runJobs } from "./runner.ts";
import { writeTable } from "./table-file.ts";

const USAGE = `Options:
  --client NAME   only clients whose name contains this; may be repeated
  --host NAME     only "node" or "workerd"
  --mode NAME     only parts whose name contains this; may be repeated
  --write         record everything as it came out, what is worse too
  --check         record nothing (the default where CI=true)
  --table         play nothing; make the table of what is recorded
  --jobs N        how many at a time (8)
  --minutes N     what has not begun by then is left out, and named (12)
Without --write and --check, what came out as it was, or better, is recorded; what comes and goes is not.`;

const { values: flags } = parseArgs({
  options: {
    client: { type: "string", multiple: true, default: [] },
    host: { type: "string" },
    mode: { type: "string", multiple: true, default: [] },
    write: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    table: { type: "boolean", default: false },
    jobs: { type: "string", default: "8" },
    minutes: { type: "string", default: "12" },
    help: { type: "boolean", short: "h", default: false },
  },
});

/** How much longer what is played once more may take. */
const GRACE_MS = 90_000;

interface Played {
  readonly job: Job;
  readonly rows: Rows;
  readonly found: Changes;
  readonly wasSlow: boolean;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void closeLabs().finally(() => process.exit(130)));
}
if (flags.help) console.log(USAGE);
else if (flags.table) writeTable(readResults());
else await main();

async function main(): Promise<void> {
  const began = Date.now();
  const deadline = began + Number(flags.minutes) * 60_000;
  const clients = CLIENTS.filter(({ name }) => isChosen(name, flags.client));
  const known = readResults();
  const played = new Map<string, Played>();
  const isRecording = flags.write || (!flags.check && process.env["CI"] !== "true");
  let results = known;

  const onOutcome = (job: Job, { rows, wasSlow }: Outcome): void => {
    const place = placeOf(job);
    const recorded = rowsAt(known, place) ?? {};
    const { worse, better } = changes(place, recorded, rows);
    const found = { worse: worse.filter((change) => !isNoNews(change, recorded)), better };
    played.set(nameOf(place), { job, rows, found, wasSlow });
    const seconds = String(Math.round((Date.now() - began) / 1000)).padStart(4);
    console.log(`${seconds} s  ${nameOf(place)}: ${summary(rows)}`);
    for (const change of found.worse) console.log(`        worse: ${describe(change)}`);
    // What comes and goes stays recorded at its worst, until it is said to be healed.
    if (!flags.write && (found.worse.length > 0 || better.some((change) => comesAndGoes(change)))) return;
    results = withRows(results, place, rows);
    if (isRecording) writeResults(results);
  };
  const run = await runJobs({ clients, jobsOf, width: Number(flags.jobs), deadline, onOutcome });

  // A time limit says something only while the machine has time. What is worse by time alone, what met a server
  // that was slow to start, and what could not be played at all, is played once more, alone, and named. What came
  // doubled, or as another error, stays. Where the server is slow even then, the client is not judged.
  const again = [...run.broken];
  for (const { job, found, wasSlow } of played.values()) {
    if (wasSlow && (flags.write || found.worse.length > 0)) again.push({ job, why: "a slow start" });
    else if (!flags.write && isOfTime(found.worse))
      again.push({ job, why: found.worse.map(describe).join("; ") });
  }
  const broken: string[] = [];
  for (const { job, why } of again) {
    console.log(`once more, alone: ${nameOf(placeOf(job))} (${why})`);
    const options = { clients: [job.client], jobsOf: () => [job], width: 1, onOutcome };
    const alone = await runJobs({ ...options, deadline: deadline + GRACE_MS });
    if (alone.broken.length > 0 || !played.has(nameOf(placeOf(job))))
      broken.push(alone.broken[0]?.why ?? why);
  }

  const outcomes = [...played.values()];
  const unjudged = outcomes.filter(({ found, wasSlow }) => wasSlow && found.worse.length > 0);
  const worse = outcomes.filter(({ wasSlow }) => !wasSlow).flatMap(({ found }) => found.worse);
  const better = outcomes.flatMap(({ found }) => found.better);
  if (isRecording) writeTable(results);

  const bare = unexplained(results);
  const skipped = [
    ...run.skipped,
    ...unjudged.map(({ job }) => `${nameOf(placeOf(job))}: the machine was too busy to judge it`),
  ];
  say("left out", skipped);
  say("could not be played", broken);
  say("better than recorded", better.map(describe));
  say("worse than recorded", worse.map(describe));
  say("without a reason in reasons.ts", bare);
  const failed = worse.length + broken.length + bare.length;
  const passed = outcomes.filter(({ found }) => found.worse.length === 0).length;
  console.log(`interop: ${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exitCode = failed > 0 || played.size === 0 ? 1 : 0;
}

function jobsOf(client: ClientDefinition): Job[] {
  const parts = PARTS.filter((part) => isChosen(part.name, flags.mode) && suits(part, client));
  const hosts = HOSTS.filter((host) => flags.host === undefined || host === flags.host);
  return hosts.flatMap((host) => parts.map((part) => ({ client, host, part })));
}

function isChosen(name: string, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((part) => name.includes(part));
}

function summary(rows: Rows): string {
  return Object.entries(rows)
    .map(([row, result]) => (result === "ok" ? row : `${row} ${result.toUpperCase()}`))
    .join(", ");
}

function describe(change: Change): string {
  return `${nameOf(change)}, ${change.row}: ${change.after}, was ${change.before}`;
}

function say(title: string, lines: readonly string[]): void {
  if (lines.length > 0) console.log(`${title}:\n${lines.map((line) => `  ${line}`).join("\n")}`);
}
