/** What goes on in a cluster while its processes are replaced: calls that count, one after the other. @module */
import { answerOf, type McpSession, openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { within } from "../support/wait.ts";

/** A client that counts in its session. */
export interface Counter {
  readonly session: McpSession;
  /** What it was told, in the order of its calls. */
  readonly told: readonly number[];
  /** Calls of which it does not know whether they have counted. */
  readonly unknown: number;
  /** What it was answered that is neither. */
  readonly wrong: readonly string[];
  /** Resolves once the call that is under way is over; no further one begins. */
  stop(): Promise<void>;
}

/** Longest that anybody waits for an answer, whatever happens: then the call hangs. */
const HANG_MS = 20_000;

/** Counts without a pause, each call by whichever process the balancer says. */
export async function startCounter(url: string): Promise<Counter> {
  const session = await openSession(url);
  const told: number[] = [];
  const wrong: string[] = [];
  let unknown = 0;
  let isStopped = false;

  const once = async (): Promise<void> => {
    let response: Response;
    try {
      response = await within(session.post(toolCall("counter")), "an answer", HANG_MS);
      // The balancer says of a process that ended under the request what without it a broken connection would.
      if (response.status === 502) throw new Error("broken");
    } catch (error) {
      if (String(error).includes("not within")) wrong.push(String(error));
      unknown += 1;
      return;
    }
    const { result, error } = await within(answerOf(response), "the answer's body", HANG_MS).catch(
      (failure: unknown) => ({ result: undefined, error: { code: 0, message: String(failure) } }),
    );
    if (result !== undefined) {
      told.push(Number((result as { content: { text: string }[] }).content[0]?.text));
    } else if (
      [
        "interrupted",
        "session could not be reached",
        "did not confirm",
        "shutting down",
        "aborted",
        "terminated",
      ].some((word) => JSON.stringify(error).includes(word))
    )
      unknown += 1;
    else wrong.push(JSON.stringify(error));
  };
  const counting = (async () => {
    while (!isStopped) await once();
  })();
  return {
    session,
    told,
    wrong,
    get unknown() {
      return unknown;
    },
    async stop() {
      isStopped = true;
      await counting;
    },
  };
}

/** What of all that was told cannot be: something that was told twice, or was told and is gone. */
export async function lostOrDoubled(counter: Counter): Promise<string[]> {
  const { session, told, unknown } = counter;
  const found: string[] = [...counter.wrong];
  if (told.some((value, index) => value <= (told[index - 1] ?? 0))) found.push(`told twice: ${told.join()}`);
  const last = Number(await session.tool("counter", { by: 0 }));
  if (last < told.length) found.push(`lost: ${told.length} were told, ${last} are there`);
  if (last > told.length + unknown) found.push(`doubled: ${last} of ${told.length} and ${unknown}`);
  return found;
}
