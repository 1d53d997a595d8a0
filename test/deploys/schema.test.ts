/** Storage of a later version: it is left as it is, in an object and in a file, and is there after the roll-forward. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { resumable } from "../support/interrupted.ts";
import { openSession } from "../support/mcp.ts";
import { numbersOf, request, toolCall, upTo } from "../support/messages.ts";
import { startNode } from "../support/node.ts";
import { ENTRY, type ProcessServer } from "../support/process.ts";
import { eventually } from "../support/wait.ts";
import { deployed, expectComeBack } from "./later.ts";
import { numberIn, previousSource, SCHEMA_FILE } from "./versions.ts";

const SCHEMA = numberIn(SCHEMA_FILE, "SCHEMA_VERSION");

describe("an object of this version on storage of a later one", () => {
  const setup = deployed({ schema: SCHEMA + 1 });

  test("says so and touches nothing; after the roll-forward the session is there", async () => {
    const session = await setup.open();
    const stream = await session.get();
    const primed = await resumable(stream);
    await session.tool("emit", { count: 2, on: "standalone" });
    expect(numbersOf(await stream.messages(2))).toEqual(upTo(2));
    expect(await session.tool("counter", { by: 1 })).toBe("1");
    await setup.gradual.move(session.id, "later");
    expect(await session.tool("counter", { by: 1 })).toBe("2");
    // The edge brings the client's stream to the new object, which stores it.
    const stored = await eventually(async () => {
      const seen = await inspect(setup.gradual.edge("new"), session.id);
      expect(seen.tables["stream"]).toHaveLength(1);
      return seen;
    });
    expect(stored.tables["session"]).toMatchObject([{ schema: SCHEMA + 1 }]);

    await setup.gradual.move(session.id, "new");
    await expectComeBack(await session.post(toolCall("counter", { by: 1 }, { id: 7 })), 7);
    await expectComeBack(await session.post(request("ping", undefined, 8)), 8);
    await expectComeBack(await session.fetch("GET", { "Last-Event-ID": primed }));
    await expectComeBack(await session.fetch("DELETE"));
    const untouched = await inspect(setup.gradual.edge("new"), session.id);
    expect(untouched.tables).toEqual(stored.tables);
    await eventually(() => expect(setup.logged("storage.newer").length).toBeGreaterThan(0));

    await setup.gradual.move(session.id, "later");
    expect(await session.tool("counter", { by: 1 })).toBe("3");
    // The edge has held the client's stream all the while.
    await session.tool("emit", { count: 1, on: "standalone" });
    expect(numbersOf(await stream.messages(1))).toEqual([1]);
    stream.leave();
  });
});

describe("the file of a server on Node", () => {
  const OLD_ENTRY = `${previousSource()}/test/support/local-server.ts`;
  const OLD_SCHEMA = numberIn(SCHEMA_FILE, "SCHEMA_VERSION", previousSource());
  let server: ProcessServer | undefined;
  afterEach(() => server?.close());

  const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
  const versionOf = (file: string): number => {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    } finally {
      database.close();
    }
  };

  test("is taken over by the next version with all its sessions, calls and streams", async () => {
    server = await startNode({ entry: OLD_ENTRY });
    const session = await openSession(server.url);
    const primed = await resumable(await session.get());
    await session.tool("emit", { count: 4, on: "standalone" });
    expect(await session.tool("counter", { by: 1 })).toBe("1");
    const call = toolCall("sleep", { ms: 600_000 });
    const cut = await session.stream(call);
    const place = await resumable(cut);

    await server.restart(ENTRY);
    expect(await session.tool("counter", { by: 1 })).toBe("2");
    const stream = await session.get(primed);
    expect(numbersOf(await stream.messages(4))).toEqual(upTo(4));
    stream.leave();
    const [answer, ...more] = await (await session.get(place)).rest();
    expect(answer).toMatchObject({ id: call.id, error: { data: { reason: "interrupted" } } });
    expect(more).toEqual([]);
    await server.kill();
    expect(versionOf(server.database)).toBe(SCHEMA);
  });

  test("is given back where the schema is the same, and refused clearly where it is later", async () => {
    server = await startNode();
    const session = await openSession(server.url);
    expect(await session.tool("counter", { by: 1 })).toBe("1");
    // In an orderly way, so that all is in the one file.
    await server.end("SIGTERM");
    const before = digest(server.database);

    if (SCHEMA === OLD_SCHEMA) {
      await server.restart(OLD_ENTRY);
      expect(await session.tool("counter", { by: 1 })).toBe("2");
    } else {
      await expect(server.restart(OLD_ENTRY)).rejects.toThrow(`has version ${SCHEMA}`);
      expect(digest(server.database)).toBe(before);
    }
    await server.restart(ENTRY);
    expect(await session.tool("counter", { by: 0 })).toBe(SCHEMA === OLD_SCHEMA ? "2" : "1");
  });

  test.each([
    ["the previous version", OLD_ENTRY, OLD_SCHEMA],
    ["this version", ENTRY, SCHEMA],
  ])("of a later schema is refused by %s, which touches nothing", async (_, entry, known) => {
    server = await startNode({ entry });
    const session = await openSession(server.url);
    expect(await session.tool("counter", { by: 1 })).toBe("1");
    await server.end("SIGTERM");
    const raise = (to: number): void => {
      const database = new DatabaseSync(server?.database ?? "");
      database.exec(`PRAGMA user_version = ${to}`);
      database.close();
    };
    raise(known + 1);
    const before = digest(server.database);
    await expect(server.restart(entry)).rejects.toThrow(
      new RegExp(`has version ${known + 1}, and this version of holdfast reads up to ${known}`),
    );
    expect(digest(server.database)).toBe(before);
    raise(known);
    await server.restart(entry);
    expect(await session.tool("counter", { by: 1 })).toBe("2");
  });
});
