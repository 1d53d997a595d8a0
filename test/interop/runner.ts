/**
 * Plays jobs, some at a time: environments are installed one after the other, and the clients of each begin
 * as soon as it is there.
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ClientDefinition } from "./clients.ts";
import { ENV, type EnvName, install } from "./envs.ts";
import { type Job, nameOf, type Outcome, perform, placeOf } from "./job.ts";

export interface RunnerOptions {
  readonly clients: readonly ClientDefinition[];
  readonly jobsOf: (client: ClientDefinition) => readonly Job[];
  /** Jobs at a time. */
  readonly width: number;
  /** Clock time after which no job begins. */
  readonly deadline: number;
  /** Hears what came of each job. */
  readonly onOutcome: (job: Job, outcome: Outcome) => void;
}

export interface RunnerOutcome {
  readonly played: number;
  /** What was left out, with its reason. */
  readonly skipped: readonly string[];
  /** Jobs that could not be played, for a fault of this program or of the server. */
  readonly broken: readonly { readonly job: Job; readonly why: string }[];
}

export async function runJobs({
  clients,
  jobsOf,
  width,
  deadline,
  onOutcome,
}: RunnerOptions): Promise<RunnerOutcome> {
  const waiting: Job[] = [];
  const skipped: string[] = [];
  const broken: { job: Job; why: string }[] = [];
  let isInstalling = true;
  let played = 0;

  const installAll = async (): Promise<void> => {
    for (const env of Object.keys(ENV) as EnvName[]) {
      const using = clients.filter((client) => client.env === env);
      if (using.length === 0) continue;
      const missing = await install(env).catch((error: unknown) => String(error));
      if (missing === undefined) waiting.push(...using.flatMap(jobsOf));
      else skipped.push(...using.map(({ name }) => `${name}: ${missing}`));
    }
    isInstalling = false;
  };

  const play = async (job: Job): Promise<void> => {
    const name = nameOf(placeOf(job));
    if (Date.now() > deadline) return void skipped.push(`${name}: out of time`);
    try {
      onOutcome(job, await perform(job));
      played += 1;
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      broken.push({ job, why: `${name}: ${String(cause)}` });
    }
  };

  const work = async (): Promise<void> => {
    while (isInstalling || waiting.length > 0) {
      const job = waiting.shift();
      await (job === undefined ? pause(100) : play(job));
    }
  };

  await Promise.all([installAll(), ...Array.from({ length: width }, work)]);
  return { played, skipped, broken };
}
