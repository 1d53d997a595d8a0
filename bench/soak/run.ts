/**
 * `npm run soak [-- node|workerd] [--minutes 60] [--streams N] [--rate 150]`: an hour on each host, with as many open
 * streams as the machine's limits hold: calls, progress, bursts, cuts of all connections, clients that drop
 * and come back or stop reading, objects that die, SIGKILLs. At the end memory must be flat, descriptors back
 * where they were, and of all numbered messages none lost and none twice, no call and no stream hung.
 * Exits with 1 where something of that does not hold, and says what. Not for CI: it is long, and takes the machine.
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { HOSTS, mostStreams } from "./hosts.ts";
import { soak } from "./storm.ts";
import { judge } from "./verdict.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "60" },
    streams: { type: "string" },
    rate: { type: "string", default: "150" },
  },
});
const minutes = Number(values.minutes);
const rate = Number(values.rate);
const hosts = HOSTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const wanted = values.streams === undefined ? undefined : Number(values.streams);
if (
  !(minutes >= 2) ||
  !(rate > 0) ||
  hosts.length < Math.max(1, positionals.length) ||
  wanted === 0 ||
  Number.isNaN(wanted)
) {
  console.error("soak [node|workerd] [--minutes <2 or more>] [--streams <count>] [--rate <calls a second>]");
  process.exit(2);
}

// However it ends, its servers end with it: see `storm.ts`.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const startedAt = Date.now();
let isGood = true;
for (const host of hosts) {
  const streams = wanted ?? mostStreams(host);
  const say = (text: string): void =>
    console.error(`[${((Date.now() - startedAt) / 1000).toFixed(0).padStart(5)} s] ${host.name}: ${text}`);
  const soaked = await soak({ host, minutes, streams, rate, say });
  const verdicts = judge(soaked);
  console.log(`\n${host.name}, ${minutes} minutes, ${streams} streams`);
  console.table(soaked.done);
  console.table(verdicts.map(({ target, figure, met }) => ({ target, figure, met: met ? "met" : "MISSED" })));
  for (const said of soaked.faults.said) console.log(said);
  isGood &&= verdicts.every(({ met }) => met);
}
process.exit(isGood ? 0 : 1);
