/** Sessions that are lost, for every SDK against every server: R-07. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { numbersOf, upTo } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { SDKS, type TestClient } from "./support/clients.ts";
import { type EventLog, logEvents } from "./support/events.ts";
import { ownServer, ownWorker } from "./support/own-server.ts";
import { logRequests, type RequestLog } from "./support/requests.ts";
import { sdkSessionServer } from "./support/sdk-session-server.ts";
import { specServer } from "./support/spec-server.ts";
import type { RunningTarget, Target } from "./support/target.ts";

/** Add a server here, and all of this holds for it. */
const TARGETS: readonly Target[] = [sdkSessionServer, specServer, ownServer, ownWorker];

const WATCHED = "test://watched-resource";
const retry = { initialDelayMs: 20, maxDelayMs: 200, attempts: 50 };

describe.each(TARGETS)("against $name", (target) => {
  describe.each(SDKS)("$name", (sdk) => {
    let server: RunningTarget;
    let requests: RequestLog;
    let events: EventLog;
    let client: TestClient;

    beforeEach(async () => {
      server = await target.start();
      requests = logRequests();
      events = logEvents();
      client = await sdk.connect(
        server.url,
        recoveringFetch({ fetch: requests.fetch, retry, onEvent: events.onEvent }),
      );
      // The standalone stream is opened behind the client's back.
      await eventually(() => expect(requests.sent.find(({ method }) => method === "GET")?.status).toBe(200));
    });
    afterEach(async () => {
      await client.close();
      await server.close();
    });

    const callAll = (): Promise<(string | undefined)[]> =>
      Promise.all(upTo(10).map((n) => client.call("echo", { text: `call ${n}` })));
    const allAnswers = upTo(10).map((n) => `call ${n}`);

    test("ten parallel calls after the sessions were wiped: one initialize, ten results, no error; a second time too", async () => {
      const { sessionId } = client;
      for (const death of [1, 2]) {
        await server.wipe();
        expect(await callAll()).toEqual(allAnswers);
        expect(requests.count("initialize")).toBe(1 + death);
        expect(events.of("reinitialized")).toHaveLength(death);
      }
      const [first, second] = events.of("reinitialized");
      expect(first?.previous?.sessionId).toBe(sessionId);
      expect(second?.previous?.sessionId).toBe(first?.current.sessionId);
      expect(second?.current.sessionId).not.toBe(first?.current.sessionId);
      expect([first?.changed, second?.changed]).toEqual([[], []]);
      // No error but the end of connections to a server that died.
      expect(client.errors).toEqual([]);
    });

    test("calls go on through the death of the process", async () => {
      await server.kill();
      expect(await callAll()).toEqual(allAnswers);
      expect(requests.count("initialize")).toBeLessThanOrEqual(2);
      expect(client.errors).toEqual([]);
    });

    test("the standalone stream, the log level and the subscriptions are those of before", async () => {
      await client.subscribe(WATCHED);
      await client.setLevel("error");
      await server.wipe();
      expect(await client.call("echo", { text: "who is there" })).toBe("who is there");
      await events.nth("resumed");
      await client.call("emit", { count: 3, on: "standalone" });
      await client.call("touch", { uri: WATCHED });
      // The level lets none of the messages through; the change, sent after them on the same stream, arrives.
      await eventually(() => {
        expect(client.notifications.map(({ method }) => method)).toEqual(["notifications/resources/updated"]);
      });
      await client.setLevel("debug");
      await client.call("emit", { count: 3, on: "standalone" });
      await eventually(() => expect(numbersOf(client.notifications)).toEqual(upTo(3)));
      expect(events.of("restore-failed")).toEqual([]);
    });

    test("a 404 that persists is one error for each call, and no loop", async () => {
      // Sessions open, and yet the server is asked for calls under an id that is none of its own.
      requests.misdirected = "tools/call";
      const outcomes = await Promise.allSettled(upTo(10).map(() => client.call("echo", { text: "x" })));
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
      expect(requests.count("initialize")).toBe(2);
      expect(requests.count("tools/call")).toBe(20);
      expect(events.of("reinitialized")).toHaveLength(1);
      // What is asked a moment later meets the same.
      await expect(client.call("echo", { text: "x" })).rejects.toThrow(/404|Error POSTing|not found/i);
      expect(requests.count("initialize")).toBeLessThanOrEqual(3);
      requests.misdirected = undefined;
      expect(await callAll()).toEqual(allAnswers);
    });

    test("leaving a session that is gone is no error", async () => {
      await server.wipe();
      await client.terminate();
      expect(requests.count("DELETE")).toBe(1);
      expect(client.errors).toEqual([]);
    });
  });
});
