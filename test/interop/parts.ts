/** The parts of a run: what is played with which client, and the rows of the table in docs/clients.md. @module */
import { optionsFromEnv } from "../../src/variables.ts";
import { type ClientDefinition, NO_ID } from "./clients.ts";
import { NO_ID_ROWS, withoutId } from "./no-id.ts";
import {
  AWAY_MS,
  basics,
  fourCalls,
  killedInCall,
  MAX_BODY_BYTES,
  outage,
  refused,
  restarts,
  rotation,
} from "./plays.ts";
import type { Row } from "./results.ts";
import type { Stage } from "./stage.ts";

export interface Part {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  readonly transport: "http" | "sse";
  /** Needs a session: clients of 2026-07-28, and those with a session for each call, are left out. */
  readonly session?: boolean;
  /** This client, and no other. */
  readonly client?: string;
  readonly vars?: Readonly<Record<string, string>>;
  play(stage: Stage): Promise<void>;
}

const CALLS: readonly Row[] = [
  ["list", "list"],
  ["echo", "call"],
  ["progress", "progress"],
  ["standalone", "notified"],
  ["ask", "asked"],
  ["ask standalone", "asked apart"],
  ["100 kB", "100 kB"],
];
const KILLED: readonly Row[] = [
  ["killed", "killed call"],
  ["after kill", "next call"],
  ["heard after kill", "notified"],
];
const GONE: readonly Row[] = [
  ["call 1", "1st call"],
  ["call 2", "2nd"],
  ["call 4", "4th"],
  ["heard", "notified"],
];

/** Ways in which a server may treat a session whose time is up, as far as this version offers them. */
const expiries = ["revive", "rotate", "spec"]
  .filter((recovery) => isOffered(recovery))
  .map((recovery): Part => ({
    name: `expired-${recovery}`,
    title: `Session whose time is up, \`recovery: "${recovery}"\``,
    rows: GONE,
    transport: "http",
    session: true,
    vars: {
      HOLDFAST_RECOVERY: recovery,
      HOLDFAST_SESSION_TTL_MS: "2000",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "500",
    },
    play: (stage) => fourCalls(stage, () => stage.lab.away(AWAY_MS), recovery === "revive"),
  }));

function isOffered(recovery: string): boolean {
  try {
    optionsFromEnv({ HOLDFAST_RECOVERY: recovery });
    return true;
  } catch {
    return false;
  }
}

/** Whether a part is played with a client. */
export function suits(part: Part, client: ClientDefinition): boolean {
  if (part.client !== undefined || client.name === NO_ID) return part.client === client.name;
  if (part.transport === "sse") return client.sse === true;
  return part.session !== true || (client.stateless !== true && !client.lacks?.includes("session"));
}

export const PARTS: readonly Part[] = [
  {
    name: "no-id",
    title: "Requests without a session id",
    rows: NO_ID_ROWS,
    transport: "http",
    client: NO_ID,
    play: withoutId,
  },
  {
    name: "calls",
    title: "Calls",
    rows: [
      ...CALLS,
      ["refused 413", "413"],
      ["after 413", "next call"],
      ["refused 400", "400"],
      ["after 400", "next call"],
      ["close", "close"],
    ],
    transport: "http",
    vars: { HOLDFAST_MAX_BODY_BYTES: String(MAX_BODY_BYTES) },
    async play(stage) {
      await basics(stage);
      await refused(stage);
    },
  },
  {
    name: "restarts",
    title: "Server killed (SIGKILL) and started again",
    rows: [
      ["restart 1", "1st: call"],
      ["heard 1", "notified"],
      ["heard 2", "2nd: notified"],
      ["restart 3", "3rd: call"],
      ["heard 3", "notified"],
      ...KILLED,
    ],
    transport: "http",
    async play(stage) {
      await restarts(stage);
      await killedInCall(stage);
    },
  },
  {
    name: "outage",
    title: "Server away for 12 s",
    rows: [
      ["down", "call meanwhile"],
      ["after outage", "call after"],
      ["heard after outage", "notified"],
    ],
    transport: "http",
    play: outage,
  },
  {
    name: "wiped",
    title: "Storage deleted",
    rows: GONE,
    transport: "http",
    play: (stage) => fourCalls(stage, () => stage.lab.wipe()),
  },
  ...expiries,
  {
    name: "rotation",
    title: "Streams ended in order every 1.5 s (`maxStreamMs`)",
    rows: [
      ["call", "6 s call"],
      ["heard", "notified"],
    ],
    transport: "http",
    session: true,
    vars: { HOLDFAST_MAX_STREAM_MS: "1500" },
    play: rotation,
  },
  {
    name: "sse",
    title: "HTTP+SSE",
    rows: [...CALLS, ["restart 1", "restart: call"], ["heard 1", "notified"], ...KILLED],
    transport: "sse",
    session: true,
    async play(stage) {
      await basics(stage);
      await restarts(stage, 1);
      await killedInCall(stage);
    },
  },
];
