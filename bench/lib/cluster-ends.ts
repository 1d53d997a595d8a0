/** What comes after the end of a process of a cluster. @module */
import { openSession, sessionAt } from "../../test/support/mcp.ts";
import { toolCall } from "../../test/support/messages.ts";
import type { Benched } from "./cluster.ts";
import type { Context } from "./part.ts";
import { median } from "./stats.ts";

export interface EndRow {
  /** What happened to the process that had the session. */
  end: string;
  rounds: number;
  /** Until the next answer, by way of another. */
  ms: number;
  longestMs: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The process that has a session ends, and another is asked for it at once; then it is started again. */
export async function endRows(cluster: Benched, { quick, say }: Context): Promise<EndRow[]> {
  const [owner, other] = cluster.members;
  if (other === undefined) throw new Error("two processes are needed");
  const after = async (end: () => Promise<void>): Promise<number> => {
    const session = sessionAt(other.url, await openSession(owner.url));
    await session.tool("echo", { text: "there" });
    const from = performance.now();
    await end();
    for (;;) {
      const answer = await session.post(toolCall("echo", { text: "back" }));
      if ((await answer.text()).includes("back")) return performance.now() - from;
    }
  };
  const row = async (end: string, rounds: number, one: () => Promise<number>): Promise<EndRow> => {
    say(end);
    const times: number[] = [];
    for (let n = 0; n < rounds; n++) times.push(await one());
    return { end, rounds, ms: median(times), longestMs: Math.max(...times) };
  };
  const ended = (signal: NodeJS.Signals) => async (): Promise<number> => {
    const ms = await after(() => owner.end(signal));
    await owner.start();
    return ms;
  };
  return [
    await row("SIGKILL", quick ? 3 : 11, ended("SIGKILL")),
    await row("SIGTERM, from the signal on", quick ? 2 : 5, ended("SIGTERM")),
    await row("SIGSTOP, with the default lease of 6 s", quick ? 1 : 3, async () => {
      const ms = await after(async () => owner.signal("SIGSTOP"));
      owner.signal("SIGCONT");
      // Until it has noticed that it is another node now.
      await sleep(1000);
      return ms;
    }),
  ];
}
