/** A process is killed, started again, and killed again: nobody waits for its lease, the second time either. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { openSession, sessionAt } from "../support/mcp.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually } from "../support/wait.ts";

let cluster: Cluster;
const towards: TcpProxy[] = [];

beforeAll(async () => {
  vi.stubGlobal("fetch", unpooledFetch);
  cluster = await startCluster({
    // Nothing happens in time by a lease.
    vars: { TEST_LEASE_MS: "60000" },
    runtimes: ["node", "node"],
    async through(n, port) {
      const toward = (towards[n] = await startTcpProxy(port));
      return { address: `http://127.0.0.1:${toward.port}` };
    },
  });
});
afterAll(async () => {
  await cluster.close();
  for (const proxy of towards) await proxy.close();
});

test("what it had is taken by the next request, each time", { timeout: 60_000 }, async () => {
  const [victim, other] = cluster.members as [Member, Member];
  const [towardVictim] = towards as [TcpProxy];
  const killed = async (): Promise<void> => {
    const session = sessionAt(other.url, await openSession(victim.url));
    towardVictim.refuse();
    await victim.end("SIGKILL");
    expect(await session.tool("counter")).toBe("1");
  };
  await killed();
  towardVictim.hole("back");
  await victim.start();
  await towardVictim.accept();
  // The other looks whether it is there.
  await eventually(() => expect(towardVictim.held).toContain(" 204 "));
  towardVictim.heal();
  await killed();
  const fenced = other.events().filter(({ type }) => type === "cluster.fenced");
  expect(fenced.map(({ reason }) => reason)).toEqual(["refused", "refused"]);
});
