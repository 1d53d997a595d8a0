/** Who may listen: so many in all, so many of one principal, and each names only so much. */
import { describe, expect, test } from "vitest";
import { modernHandler } from "../../src/modern/index.ts";
import { hosts } from "../support/hosts.ts";
import { type Filter, type Listening, listen, modernRequest, postModern } from "../support/modern.ts";
import { startProcess } from "../support/process.ts";
import { serve } from "../support/subject.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";

const TOOLS: Filter = { toolsListChanged: true };

const as = (name: string): Record<string, string> => ({ Authorization: `Bearer ${name}:token` });

const ask = (url: string, filter: Filter, headers: Record<string, string> = {}): Promise<Response> =>
  postModern(url, modernRequest("subscriptions/listen", { notifications: filter }, "asked"), headers);

const leaveAll = (streams: readonly Listening[]): void => {
  for (const stream of streams) stream.leave();
};

/** So many listeners of one principal, one after the other: each waits for a place that may be free a moment later. */
async function take(url: string, name: string, count: number): Promise<Listening[]> {
  const open: Listening[] = [];
  while (open.length < count) {
    const id = `${name}.${open.length}`;
    open.push(await eventually(() => listen(url, TOOLS, { id, headers: as(name) })));
  }
  return open;
}

describe.each(hosts)("on $name", (host) => {
  const server = serve(host, {
    TEST_AUTH: "on",
    // A client that has left is seen when something is written to it.
    HOLDFAST_KEEPALIVE_INTERVAL_MS: "300",
    HOLDFAST_MAX_SUBSCRIPTIONS: "20",
    TEST_MAX_LISTENERS: "6",
    TEST_MAX_LISTENERS_EACH: "4",
  });

  test("one principal at its limit hinders no other; in all there are only so many", async () => {
    const mine = await take(server.url, "ada", 4);
    const fifth = await ask(server.url, TOOLS, as("ada"));
    expect(fifth.status).toBe(429);
    expect(fifth.headers.get("retry-after")).toBe("1");
    expect(await fifth.json()).toMatchObject({ id: "asked", error: { code: -32000 } });

    const others = await take(server.url, "bob", 2);
    const seventh = await ask(server.url, TOOLS, as("bob"));
    expect(seventh.status).toBe(503);
    expect(seventh.headers.get("retry-after")).toBe("1");
    expect(await seventh.json()).toMatchObject({ id: "asked", error: { code: -32000 } });

    // Places are free again once who had them has left, all of them.
    leaveAll([...mine, ...others]);
    const again = [...(await take(server.url, "ada", 4)), ...(await take(server.url, "eve", 2))];
    leaveAll(again);
  });

  test("one that is refused, or grants nothing, takes no place", async () => {
    for (let n = 0; n < 20; n++) {
      // Those of the test before may still be leaving.
      const nothing = await eventually(async () => {
        const answer = await ask(server.url, {}, as("cy"));
        expect(answer.status).toBe(200);
        return answer;
      });
      expect(await nothing.text()).toContain("complete");
      const malformed = modernRequest("subscriptions/listen", { notifications: 7 });
      await (await postModern(server.url, malformed, as("cy"))).text();
    }
    const streams = await take(server.url, "cy", 4);
    leaveAll(streams);
  });

  test("a listener that names too many resources, or says too much, is refused before it is acknowledged", async () => {
    const uris = (count: number, size = 1): string[] =>
      Array.from({ length: count }, (_, n) => `test://${String(n).padStart(size, "0")}`);
    const many = await ask(server.url, { resourceSubscriptions: uris(21) }, as("dot"));
    expect(many.status).toBe(400);
    expect(await many.json()).toMatchObject({ id: "asked", error: { code: -32602 } });
    const long = await ask(server.url, { resourceSubscriptions: uris(20, 7000) }, as("dot"));
    expect(long.status).toBe(413);
    expect(await long.json()).toMatchObject({ id: "asked", error: { code: -32000 } });
    const padded = modernRequest("subscriptions/listen", {
      notifications: TOOLS,
      _meta: { "example.com/padding": "x".repeat(200_000) },
    });
    expect((await postModern(server.url, padded, as("dot"))).status).toBe(413);
    const stream = await eventually(() =>
      listen(server.url, { resourceSubscriptions: uris(20) }, { headers: as("dot") }),
    );
    expect(stream.honored.resourceSubscriptions).toHaveLength(20);
    stream.leave();
  });
});

test("41 listeners with 3.9 MB of resources each are refused, and a small heap lives", async () => {
  const server = await startProcess(["node", "--max-old-space-size=256"], {
    vars: { HOLDFAST_LOG_LEVEL: "silent", HOLDFAST_MAX_SUBSCRIPTIONS: "1000000" },
  });
  try {
    const resourceSubscriptions = Array.from({ length: 60_000 }, (_, n) => `test://${"x".repeat(53)}${n}`);
    expect(JSON.stringify(resourceSubscriptions).length).toBeGreaterThan(3_900_000);
    for (let n = 0; n < 41; n++) {
      const refused = await ask(server.url, { resourceSubscriptions });
      expect(refused.status).toBe(413);
      await refused.text();
    }
    (await listen(server.url, { resourceSubscriptions: resourceSubscriptions.slice(0, 1000) })).leave();
  } finally {
    await server.close();
  }
}, 60_000);

test("as many as may listen, each saying as much as it may, leave a small heap alive", async () => {
  const server = await startProcess(["node", "--max-old-space-size=256"], {
    vars: { HOLDFAST_LOG_LEVEL: "silent" },
  });
  const streams: Listening[] = [];
  try {
    const statuses = new Map<number, number>();
    for (let at = 0; at < 400; at += 8) {
      await Promise.all(
        Array.from({ length: 8 }, async (_, n) => {
          const resourceSubscriptions = Array.from(
            { length: 900 },
            (_, uri) => `test://${"x".repeat(120)}${at + n}.${uri}`,
          );
          const response = await ask(server.url, { resourceSubscriptions });
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
          if (response.status === 200)
            streams.push({ leave: () => void response.body?.cancel() } as Listening);
          else await response.text();
        }),
      );
    }
    expect([...statuses.keys()].toSorted()).toEqual([200, 503]);
    expect(statuses.get(200)).toBeGreaterThan(200);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  } finally {
    leaveAll(streams);
    await server.close();
  }
}, 120_000);

test.each(["maxListeners", "maxListenersPerPrincipal", "maxListenBytes"])("%s is checked by name", (name) => {
  for (const value of [-1, 1.5, Number.NaN]) {
    expect(() => modernHandler({ createServer: createTestServer, [name]: value })).toThrow(
      new RegExp(`^${name} must be`),
    );
  }
});
