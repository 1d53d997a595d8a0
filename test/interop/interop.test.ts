/** What can be said of the recorded results without playing them again. @module */
import { assert, describe, expect, it } from "vitest";
import { CLIENTS } from "./clients.ts";
import { PARTS, suits } from "./parts.ts";
import { isNoNews, reasonFor, unexplained } from "./explain.ts";
import { REASONS } from "./reasons.ts";
import { changes, isOfTime, type Place, rank } from "./results.ts";
import { readResults } from "./results-file.ts";
import { renderTables } from "./table.ts";
import { readTable } from "./table-file.ts";

const place: Place = { client: "ts-2.4", host: "node", part: "restarts" };

describe("the recorded results", () => {
  it("are what docs/clients.md shows", () => {
    expect(readTable()).toBe(renderTables(readResults()));
  });

  it("are of clients and parts that are still played", () => {
    const clients = new Map(CLIENTS.map((client) => [client.name, client]));
    for (const [name, hosts] of Object.entries(readResults())) {
      const client = clients.get(name);
      assert(client, `${name} is recorded, but not played any more`);
      const suiting = new Set(PARTS.filter((part) => suits(part, client)).map((part) => part.name));
      for (const parts of Object.values(hosts)) {
        expect(Object.keys(parts).filter((part) => !suiting.has(part))).toEqual([]);
      }
    }
  });

  it("have a reason wherever they are not good", () => {
    expect(unexplained(readResults())).toEqual([]);
  });

  it("are nowhere worse than the client itself makes them", () => {
    const healable = Object.entries(readResults()).flatMap(([client, hosts]) =>
      Object.entries(hosts).flatMap(([host, parts]) =>
        Object.entries(parts).flatMap(([part, rows]) =>
          Object.entries(rows)
            .filter(([row, result]) => reasonFor({ client, host, part }, row, result)?.side === "server")
            .map(([row, result]) => `${client}, ${host}, ${part}, ${row}: ${result}`),
        ),
      ),
    );
    expect(healable).toEqual([]);
  });

  it("have reasons that can be looked up", () => {
    for (const { link, why } of REASONS) {
      expect(why).toMatch(/\.$/);
      expect(new URL(link[1]).protocol).toBe("https:");
    }
  });
});

describe("a result", () => {
  it.each([
    ["ok", "err"],
    ["interr.", "err"],
    ["err", "1/3"],
    ["err", "hang"],
    ["6/3", "F"],
  ])("%s is better than %s", (better, worse) => {
    expect(rank(better)).toBeLessThan(rank(worse));
    expect(changes(place, { row: better }, { row: worse }).worse).toMatchObject([
      { row: "row", after: worse },
    ]);
    expect(changes(place, { row: worse }, { row: better }).better).toMatchObject([
      { row: "row", before: worse },
    ]);
  });

  it.each([
    ["F", "hang"],
    ["DEL", "none"],
    ["ok", "n/a"],
  ])("%s is as good as %s", (one, other) => {
    expect(changes(place, { row: one }, { row: other })).toEqual({ worse: [], better: [] });
  });

  it("of a client that no longer connects is worse in every row that was good", () => {
    const { worse } = changes(place, { list: "ok", echo: "ok", ask: "F" }, { connect: "F" });
    expect(worse.map(({ row }) => row)).toEqual(["list", "echo"]);
  });

  it("that is missing has failed", () => {
    expect(changes(place, { echo: "ok" }, { list: "ok" }).worse).toMatchObject([{ row: "echo", after: "F" }]);
  });

  it("that comes and goes is no news only where its reason is recorded", () => {
    const client = { client: "mark3labs-1.2 sessions", host: "node", part: "restarts" };
    const change = { ...client, row: "heard 2", before: "ok", after: "6/3" };
    expect(isNoNews(change, { "heard 2": "ok", "heard 3": "9/3" })).toBe(true);
    expect(isNoNews(change, { "heard 2": "ok", "heard 3": "ok" })).toBe(false);
    expect(isNoNews({ ...change, after: "F" }, { "heard 3": "9/3" })).toBe(false);
  });

  it("that a busy machine may explain is told from one that it may not", () => {
    const becoming = (...after: string[]): boolean =>
      isOfTime(after.flatMap((result, n) => changes(place, { [n]: "ok" }, { [n]: result }).worse));
    expect(becoming("hang", "F", "2/3")).toBe(true);
    expect(becoming("hang", "6/3")).toBe(false);
    expect(becoming("err")).toBe(false);
    expect(becoming("ok")).toBe(false);
  });
});
