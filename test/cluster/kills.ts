/**
 * The process that has a session, the one that holds its client's connection, or both are killed at each step of a call.
 * Each step is held from outside (by a lock in the database, by the network, by the tool itself), so that the kill meets
 * exactly it.
 */
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Cluster, type Member, type Runtime, startCluster } from "../support/cluster.ts";
import { interrupted } from "../support/interrupted.ts";
import { type McpSession, openSession, sessionAt } from "../support/mcp.ts";
import { type Message, numbersOf, textOf, toolCall, upTo } from "../support/messages.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { type EventStream, messageOf, readEvents } from "../support/sse.ts";
import { type Outside, startOutside, type Watched } from "../support/steps.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually } from "../support/wait.ts";

/** Which step of the call the kill meets. */
const STEPS = {
  taken: "the request is taken, and whose the session is is being asked",
  forwarded: "the request is on its way to the process that has the session",
  before: "the request is there, and its tool has not run",
  ran: "the tool has done what it does outside, and nothing is told of it",
  running: "the tool runs, and what it told so far is stored and read",
  stored: "the answer is stored, and its process has not heard so",
  sent: "the answer is on its way between the processes",
  told: "the answer is on its way to the client",
} as const;
type Step = keyof typeof STEPS;

/** Who is killed; `one` is the process that has the session and holds the connection too. */
type Victim = "owner" | "edge" | "both" | "one";

/** What the client has in the end: the answer, the one error, or a connection that broke without a place to come back to. */
type Got = "answer" | "interrupted" | "nothing";

interface Case {
  readonly victim: Victim;
  readonly step: Step;
  readonly got: Got;
  /** How often the tool has run in the end. */
  readonly runs: number;
  /** It may run again. */
  readonly again?: boolean;
}

const CASES: readonly Case[] = [
  { victim: "owner", step: "taken", got: "answer", runs: 1 },
  { victim: "owner", step: "forwarded", got: "interrupted", runs: 0 },
  { victim: "owner", step: "before", got: "interrupted", runs: 0 },
  { victim: "owner", step: "ran", got: "interrupted", runs: 1 },
  { victim: "owner", step: "running", got: "interrupted", runs: 1 },
  { victim: "owner", step: "stored", got: "answer", runs: 1 },
  { victim: "owner", step: "sent", got: "answer", runs: 1 },
  { victim: "owner", step: "told", got: "answer", runs: 1 },
  { victim: "edge", step: "taken", got: "nothing", runs: 0 },
  { victim: "edge", step: "forwarded", got: "nothing", runs: 0 },
  { victim: "edge", step: "before", got: "nothing", runs: 1 },
  { victim: "edge", step: "ran", got: "nothing", runs: 1 },
  { victim: "edge", step: "running", got: "answer", runs: 1 },
  { victim: "edge", step: "stored", got: "answer", runs: 1 },
  { victim: "edge", step: "sent", got: "answer", runs: 1 },
  { victim: "edge", step: "told", got: "answer", runs: 1 },
  { victim: "both", step: "taken", got: "nothing", runs: 0 },
  { victim: "both", step: "forwarded", got: "nothing", runs: 0 },
  { victim: "both", step: "before", got: "nothing", runs: 0 },
  { victim: "both", step: "ran", got: "nothing", runs: 1 },
  { victim: "both", step: "running", got: "interrupted", runs: 1 },
  { victim: "both", step: "stored", got: "answer", runs: 1 },
  { victim: "both", step: "sent", got: "answer", runs: 1 },
  { victim: "both", step: "told", got: "answer", runs: 1 },
  { victim: "one", step: "taken", got: "nothing", runs: 0 },
  { victim: "one", step: "before", got: "nothing", runs: 0 },
  { victim: "one", step: "ran", got: "nothing", runs: 1 },
  { victim: "one", step: "running", got: "interrupted", runs: 1 },
  { victim: "one", step: "stored", got: "answer", runs: 1 },
  { victim: "one", step: "told", got: "answer", runs: 1 },
  // What may run again does, where its client waits; what has its answer does not.
  { victim: "owner", step: "forwarded", got: "answer", runs: 1, again: true },
  { victim: "owner", step: "before", got: "answer", runs: 1, again: true },
  { victim: "owner", step: "ran", got: "answer", runs: 2, again: true },
  { victim: "owner", step: "running", got: "answer", runs: 2, again: true },
  { victim: "owner", step: "stored", got: "answer", runs: 1, again: true },
  { victim: "both", step: "running", got: "answer", runs: 2, again: true },
  { victim: "one", step: "stored", got: "answer", runs: 1, again: true },
];

const [A, B, C] = [0, 1, 2];

/** All messages that a client is told over the connections that it has, one after another. */
interface Following {
  readonly messages: Message[];
  /** Resolves at the end of the connection, however that comes. */
  readonly ended: Promise<void>;
  stream: EventStream | undefined;
}

function follow(asked: Promise<Response>): Following {
  const messages: Message[] = [];
  const following: Following = { messages, stream: undefined, ended: read() };
  async function read(): Promise<void> {
    const response = await asked.catch(() => undefined);
    if (response === undefined) return;
    if (response.headers.get("content-type") !== "text/event-stream") {
      return void messages.push((await response.json()) as Message);
    }
    const stream = (following.stream = readEvents(response));
    for (;;) {
      const item = await stream.next().catch(broken);
      if (item === undefined) return;
      const message = messageOf(item);
      if (message !== undefined) messages.push(message);
    }
  }
  return following;
}

/** The connection broke; anything else is not expected. */
function broken(error: unknown): undefined {
  if (!String(error).includes("aborted")) throw error;
}

/** @param runtimes of the process that has the session, of the one that is asked, and of the one that is left */
export function kills(runtimes: readonly [Runtime, Runtime, Runtime]): void {
  vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });

  let database: TestDatabase;
  let cluster: Cluster;
  let outside: Outside;
  /** Towards each process from the others, from it to the database, and from clients. */
  const towards: TcpProxy[] = [];
  const stores: TcpProxy[] = [];
  const fronts: TcpProxy[] = [];
  const at = (n: number): Member => cluster.members[n] as Member;
  const through = (n: number): string => `http://127.0.0.1:${fronts[n]?.port}`;
  const ended = new Set<number>();

  beforeAll(async () => {
    vi.stubGlobal("fetch", unpooledFetch);
    outside = await startOutside();
    database = await testDatabase();
    const { port: databasePort } = new URL(database.url);
    cluster = await startCluster({
      // With the lease of the defaults: it is not by time that a process is taken for dead here.
      vars: { HOLDFAST_RETRY_MS: "100", TEST_RERUN: "stepped_again" },
      runtimes,
      database,
      async through(n, port) {
        const store = (stores[n] = await startTcpProxy(Number(databasePort)));
        const toward = (towards[n] = await startTcpProxy(port));
        fronts[n] = await startTcpProxy(port);
        const postgres = Object.assign(new URL(database.url), { port: String(store.port) }).href;
        return { postgres, address: `http://127.0.0.1:${toward.port}` };
      },
    });
  });
  afterAll(async () => {
    await cluster.close();
    await database.close();
    await outside.close();
    for (const proxy of [...towards, ...stores, ...fronts]) await proxy.close();
  });
  beforeEach(async () => {
    for (const proxy of [...towards, ...stores, ...fronts]) proxy.heal();
    for (const n of ended) {
      await at(n).start();
      await towards[n]?.accept();
      await fronts[n]?.accept();
    }
    // Whoever has been reached again is believed to be gone as soon as nobody listens there.
    for (const n of ended) {
      const session = await openSession(at(n).url);
      for (const by of cluster.members)
        expect(await sessionAt(by.url, session).tool("echo", { text: "back" })).toBe("back");
    }
    ended.clear();
  });

  /** As it is with a program that is killed: nobody listens, and what it was sent is lost. */
  const kill = async (n: number): Promise<void> => {
    ended.add(n);
    towards[n]?.refuse();
    fronts[n]?.refuse();
    await at(n).end("SIGKILL");
  };

  /** Who has the session, or had it last. */
  const ownerOf = async ({ id }: McpSession): Promise<number> => {
    const [row] = await database.query<{ address: string }>(
      "SELECT n.address FROM holdfast.session AS s JOIN holdfast.node AS n ON n.id = s.owner WHERE s.id = $1",
      [id],
    );
    return towards.findIndex(({ port }) => row?.address.startsWith(`http://127.0.0.1:${port}`));
  };

  /** Until the database holds the answer. */
  const isStored = (session: McpSession): Promise<void> =>
    eventually(async () => {
      const rows = await database.query<{ data: string }>(
        "SELECT data FROM holdfast.row WHERE session = $1 AND tbl = 'event'",
        [session.id],
      );
      expect(rows.some(({ data }) => data.includes("stepped 1"))).toBe(true);
    });

  /** Where what the step is about goes through. */
  const proxyOf = (step: Step, edge: number, victim: Victim): TcpProxy | undefined => {
    if (step === "stored") return stores[A];
    const isBetween = step === "forwarded" || step === "sent" || (step === "ran" && victim === "owner");
    return isBetween ? towards[A] : fronts[edge];
  };

  /** Brings a call to the step, and returns what lets it go on. */
  async function bring(
    step: Step,
    {
      session,
      edge,
      victim,
      send,
      watched,
    }: { session: McpSession; edge: number; victim: Victim; send: () => Following; watched: Watched },
  ): Promise<{ call: Following; release: () => Promise<void> }> {
    if (step === "taken") {
      const unlock = await lockSessions(database);
      const call = send();
      await eventually(async () => {
        const waiting = await database.query(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT s.claims%'",
        );
        expect(waiting).not.toEqual([]);
      });
      return { call, release: unlock };
    }
    const proxy = proxyOf(step, edge, victim);
    if (step === "forwarded") proxy?.hole("there");
    // A call that takes its time says that it goes on: whoever is left does not hear it.
    if (step === "ran") proxy?.hole("back");
    if (step !== "forwarded") watched.hold(step === "before" || step === "ran" ? step : "running");
    const call = send();
    const isHeld = (text: string): Promise<void> => eventually(() => expect(proxy?.held).toContain(text));
    const release = async (): Promise<void> => {
      proxy?.heal();
      watched.release();
    };
    if (step === "forwarded") {
      await isHeld("/cluster/post");
      return { call, release };
    }
    await watched.held();
    if (step === "before" || step === "ran") return { call, release };
    // What has been read was stored, and can be come back to.
    await eventually(() => expect(numbersOf(call.messages)).toEqual([1]));
    if (step === "running") return { call, release };
    // Not what the database says of an earlier write, for which the answer's would wait.
    proxy?.hole("back", step === "stored" ? "stepped 1" : undefined);
    watched.release();
    await isStored(session);
    if (step === "stored") await eventually(() => expect(proxy?.held).not.toBe(""));
    else await isHeld("stepped 1");
    return { call, release };
  }

  describe.each(CASES)("$victim killed, $step", ({ victim, step, got, runs, again = false }) => {
    const edge = victim === "one" ? A : B;
    const victims = { owner: [A], edge: [B], both: [A, B], one: [A] }[victim];

    test(`${STEPS[step]}${again ? ", of a tool that may run again" : ""}: ${got}, run ${runs} times`, async () => {
      const watched = outside.watch();
      const opened = await openSession(at(A).url);
      const session = sessionAt(through(edge), opened);
      if (step !== "taken") expect(await session.tool("echo", { text: "there" })).toBe("there");
      else if (victim === "one") {
        // It is another run of the process, and has to ask whose the session is.
        await at(A).end("SIGKILL");
        await at(A).start();
      }
      expect(await ownerOf(session)).toBe(A);

      const message = toolCall(again ? "stepped_again" : "stepped", { at: watched.at });
      const send = (): Following => follow(session.post(message));
      const { call, release } = await bring(step, { session, edge, victim, send, watched });
      await Promise.all(victims.map(kill));
      // What was under way to and from whoever is killed is lost.
      if (victims.includes(A) || step === "forwarded") towards[A]?.cut();
      if (victims.includes(edge)) fronts[edge]?.cut();
      await release();

      await call.ended;
      const seen = [...call.messages];
      const { stream } = call;
      let last = stream?.lastEventId;
      const isAnswer = ({ id, method }: Message): boolean => method === undefined && id === message.id;
      const survivor = victims.includes(edge) ? C : edge;
      const elsewhere = sessionAt(at(survivor).url, session);
      if (!seen.some(isAnswer) && last !== undefined) {
        const resumed = await elsewhere.get(last);
        seen.push(...(await resumed.rest()));
        last = resumed.lastEventId ?? last;
      }

      // A run that is cut off before it has written anything is counted outside alone.
      const stored = runs - (step === "ran" && victims.includes(A) ? 1 : 0);
      const answers = seen.filter(isAnswer);
      if (got === "nothing") expect(seen).toEqual([]);
      else if (got === "interrupted") expect(answers).toEqual([interrupted(message.id, again)]);
      else expect(answers.map(textOf)).toEqual([`stepped ${stored}`]);
      expect(numbersOf(seen)).toEqual(upTo(numbersOf(seen).length));
      await eventually(() => expect(watched.runs).toBe(runs));
      // Nothing is left to come back for.
      if (last !== undefined)
        expect((await elsewhere.fetch("GET", { "Last-Event-ID": last })).status).toBe(204);

      // The session goes on, by whoever is asked, with what its calls have stored.
      const counted = outside.watch();
      const next = await elsewhere.request(toolCall("stepped", { at: counted.at }));
      expect(textOf(next)).toBe(`stepped ${stored + 1}`);
      expect([watched.runs, counted.runs]).toEqual([runs, 1]);
    });
  });
}

/** Whoever asks for a session waits until the returned function is called. */
async function lockSessions(database: TestDatabase): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query("BEGIN");
  await client.query("LOCK TABLE holdfast.session IN ACCESS EXCLUSIVE MODE");
  return async () => {
    await client.query("COMMIT");
    await client.end();
  };
}
