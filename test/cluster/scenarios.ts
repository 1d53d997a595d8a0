/** What must hold however the code is broken elsewhere: played against the code as it is, and against mutants of it. */
import { Client } from "pg";
import type { Cluster } from "../support/cluster.ts";
import { initialize, type Message, notification, numbersOf, toolCall } from "../support/messages.ts";
import { answerOf, openSession, post, sessionAt } from "../support/mcp.ts";
import { startOutside } from "../support/steps.ts";
import { eventually } from "../support/wait.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How long the database is kept from storing anything: less than after which a query is given up. */
const LOCKED_MS = 2500;

/** Holds every flush that stores a row until the returned function is called. */
async function lockRows(url: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query("BEGIN");
  await client.query("LOCK TABLE holdfast.row IN SHARE ROW EXCLUSIVE MODE");
  return async () => {
    await client.query("COMMIT");
    await client.end();
  };
}

/**
 * Each way in which something that follows from a write is told, while nothing can be stored; what was told all the same,
 * and what was not answered as it should be once it could.
 */
export async function toldBeforeStored(cluster: Cluster): Promise<string[]> {
  const urls = cluster.members.map(({ url }) => url);
  const [here = "", there = here] = urls;
  const session = await openSession(here);
  // Of this session's owner, and by way of another process.
  const forwarded = sessionAt(there, await openSession(here));
  const deleted = await openSession(here);
  const streaming = await openSession(here);
  const opened = await post(`${here}/mcp`, initialize());
  await opened.text();
  const fresh = { "Mcp-Session-Id": opened.headers.get("mcp-session-id") ?? "" };
  await Promise.all([session.tool("counter"), forwarded.tool("counter")]);

  const release = await lockRows(cluster.database.url);
  const wrong: string[] = [];
  let isLocked = true;
  const watch = async (what: string, wanted: unknown, told: Promise<unknown>): Promise<void> => {
    const got = await told.catch((error: unknown) => String(error));
    if (isLocked) wrong.push(`${what} was told before it was stored: ${JSON.stringify(got)}`);
    else if (got !== wanted) wrong.push(`${what}: ${JSON.stringify(got)}`);
  };
  const firstEvent = async (): Promise<unknown> => {
    const stream = await streaming.stream(toolCall("emit", { count: 3 }));
    const message = await stream.message(({ method }) => method === "notifications/message");
    return message.method;
  };
  const watched = Promise.all([
    watch("an answer on its owner", "2", session.tool("counter")),
    watch("an answer elsewhere", "2", forwarded.tool("counter")),
    watch(
      "the end of a session",
      204,
      deleted.fetch("DELETE").then(({ status }) => status),
    ),
    watch("an event", "notifications/message", firstEvent()),
    watch(
      "initialize",
      200,
      post(`${there}/mcp`, initialize()).then(({ status }) => status),
    ),
    watch(
      "initialized",
      202,
      post(`${here}/mcp`, notification("notifications/initialized"), fresh).then(({ status }) => status),
    ),
  ]);
  await sleep(LOCKED_MS);
  isLocked = false;
  await release();
  await watched;
  return wrong;
}

interface Row {
  pk: string;
  data: string;
}

/**
 * A process is stopped past its lease in the midst of a stream and of a call that stores nothing, another takes its
 * session, and it goes on: what then was written or answered that should not have been.
 */
export async function zombie(cluster: Cluster): Promise<string[]> {
  const [owner, other] = cluster.members;
  if (owner === undefined || other === undefined) throw new Error("two processes are needed");
  const wrong: string[] = [];
  const opened = await openSession(owner.url);
  const session = sessionAt(other.url, opened);
  const rows = (): Promise<Row[]> =>
    cluster.database.query<Row>(
      "SELECT pk, data FROM holdfast.row WHERE session = $1 AND tbl = 'event' ORDER BY pk",
      [opened.id],
    );

  const call = toolCall("emit", { count: 1_000_000, intervalMs: 20 });
  const stream = await session.stream(call);
  const seen: Message[] = [];
  for (let n = 0; n < 10; n++)
    seen.push(await stream.message(({ method }) => method === "notifications/message"));
  const quick = opened.post(toolCall("sleep", { ms: 3000 }), { Accept: "application/json" });
  await sleep(300);
  owner.signal("SIGSTOP");
  const rest = await stream.rest();
  const errors = rest.filter(({ error }) => error !== undefined);
  if (errors.length !== 1) wrong.push(`the call ended ${errors.length} times`);
  const numbers = numbersOf([...seen, ...rest]);
  if (numbers.some((n, index) => n !== index + 1)) wrong.push(`a gap: ${numbers.join()}`);
  const before = await rows();

  owner.signal("SIGCONT");
  const answer = await quick.then((response) => answerOf(response)).catch(() => undefined);
  if (answer?.result !== undefined) wrong.push("the zombie answered a call");
  await eventually(() => {
    if (!owner.events().some(({ type }) => type === "cluster.left")) throw new Error("not yet");
  }).catch(() => wrong.push("the zombie did not notice"));
  const after = await rows();
  if (JSON.stringify(before) !== JSON.stringify(after)) {
    wrong.push(`the zombie wrote: ${before.length} events became ${after.length}`);
  }
  const [head] = await cluster.database.query<{ claims: number }>(
    "SELECT claims::int AS claims FROM holdfast.session WHERE id = $1",
    [opened.id],
  );
  if (head?.claims !== 2) wrong.push(`the session changed hands ${(head?.claims ?? 0) - 1} times`);
  const boots = [
    JSON.parse((await session.tool("whoami")) ?? "{}"),
    JSON.parse((await opened.tool("whoami")) ?? "{}"),
  ];
  if (boots[0].bootId !== boots[1].bootId) wrong.push("two processes answer for the session");
  return wrong;
}

/** The process that a call was passed on to is killed before the call's tool runs: what then was run or answered that should not have been. */
export async function killedUnderCall(cluster: Cluster): Promise<string[]> {
  const [owner, other] = cluster.members;
  if (owner === undefined || other === undefined) throw new Error("two processes are needed");
  const outside = await startOutside();
  try {
    const watched = outside.watch();
    watched.hold("before");
    const session = sessionAt(other.url, await openSession(owner.url));
    const answered = session.request(toolCall("stepped", { at: watched.at }));
    await watched.held();
    await owner.end("SIGKILL");
    watched.release();
    const { error } = await answered;
    const wrong: string[] = [];
    if (error === undefined) wrong.push("the call was sent again");
    if (watched.runs > 0) wrong.push(`its tool ran ${watched.runs} times`);
    return wrong;
  } finally {
    await outside.close();
  }
}
