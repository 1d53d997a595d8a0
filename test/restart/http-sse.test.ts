/** R-11, A10: HTTP+SSE (2024-11-05) when the process is killed, or the object alone. */
import { Client as V2Client, SSEClientTransport as V2Transport } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/sse.js";
import { Client as OldClient } from "sdk-1.20/client/index.js";
import { SSEClientTransport as OldTransport } from "sdk-1.20/client/sse.js";
import { describe, expect, test } from "vitest";
import { abortObject, doomObject, dropLinks } from "../support/back-door.ts";
import { describeBeside } from "../support/beside.ts";
import { hosts, mortal, workerd } from "../support/hosts.ts";
import { interrupted, LONG } from "../support/interrupted.ts";
import {
  initialize,
  type Message,
  notification,
  numbersOf,
  textOf,
  toolCall,
  upTo,
} from "../support/messages.ts";
import { post } from "../support/mcp.ts";
import { loggingFetch, type Sent } from "../support/sdk-clients.ts";
import { type EventStream, readEvents } from "../support/sse.ts";
import { eventually, within } from "../support/wait.ts";

const info = { name: "legacy", version: "0" };

/** What both client classes have in common. */
interface SseClient {
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

const clients = [
  {
    name: "1.20.0",
    async connect(url: URL, fetch: ReturnType<typeof loggingFetch>): Promise<SseClient> {
      const client = new OldClient(info);
      await client.connect(new OldTransport(url, { fetch }));
      return client;
    },
  },
  {
    name: "1.32.2",
    async connect(url: URL, fetch: ReturnType<typeof loggingFetch>): Promise<SseClient> {
      const client = new V1Client(info);
      await client.connect(new V1Transport(url, { fetch }));
      return client;
    },
  },
  {
    name: "2.4.0",
    async connect(url: URL, fetch: ReturnType<typeof loggingFetch>): Promise<SseClient> {
      const client = new V2Client(info);
      await client.connect(new V2Transport(url, { fetch }));
      return client;
    },
  },
];

/** A connection as EventSource holds it: the endpoint it was told, and its last event id. */
interface Connection {
  readonly stream: EventStream;
  readonly endpoint: string;
  readonly session: string;
  post(message: Message): Promise<void>;
}

async function connect(url: string, lastEventId?: string): Promise<Connection> {
  const headers = {
    Accept: "text/event-stream",
    ...(lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId }),
  };
  const stream = readEvents(await fetch(`${url}/sse`, { headers }));
  // The hint is a line of the event, and heard before its end.
  let first = await stream.next();
  if (first?.type === "retry") first = await stream.next();
  if (first?.type !== "event" || first.event !== "endpoint") throw new Error("no endpoint");
  const endpoint = first.data;
  return {
    stream,
    endpoint,
    session: new URLSearchParams(endpoint.split("?")[1]).get("sessionId") ?? "",
    async post(message) {
      // As a page does: its EventSource comes back.
      expect((await post(url + endpoint, message, { Origin: url })).status).toBe(202);
    },
  };
}

/** Connects and initialises: from its answer on, there is an event id to come back with. */
async function open(url: string): Promise<Connection> {
  const connection = await connect(url);
  await connection.post(initialize("2024-11-05"));
  await connection.stream.message();
  await connection.post(notification("notifications/initialized"));
  return connection;
}

/** A fetch of which the first stream is opened, and no other before its client gives up. */
function slowToReturn(): ReturnType<typeof loggingFetch> {
  let streams = 0;
  return (input, init) => {
    const isStream = (init?.method ?? "GET") === "GET";
    return isStream && streams++ > 0 ? new Promise(() => {}) : fetch(input, init);
  };
}

const whoami = async ({ stream, post }: Connection): Promise<Record<string, unknown>> => {
  const call = toolCall("whoami");
  await post(call);
  const answer = await stream.message(({ id }) => id === call.id);
  return JSON.parse(textOf(answer) ?? "") as Record<string, unknown>;
};

describeBeside(hosts, "on $name", (host) => {
  const server = mortal(host, { HOLDFAST_RETRY_MS: "300", TEST_RERUN: "ask,echo" });

  test.each(clients)("client $name goes on by itself, with no initialize", async ({ connect: start }) => {
    const sent: Sent[] = [];
    const client = await start(new URL(`${server.url}/sse`), loggingFetch(sent));
    await client.callTool({ name: "counter" });
    sent.length = 0;
    await server.kill();
    await server.restart();
    // The client's EventSource comes back without saying from where, and gets another session.
    await eventually(() => {
      const streams = sent.filter(({ method, status }) => method === "GET" && status === 200);
      expect(streams.at(-1)?.received).toContain("event: endpoint");
    });
    sent.length = 0;
    expect(await client.callTool({ name: "echo", arguments: { text: "still here" } })).toMatchObject({
      content: [{ text: "still here" }],
    });
    expect(sent.map(({ message, status }) => [message?.method, status])).toEqual([["tools/call", 202]]);
    await client.close();
  });

  test.each(clients)(
    "client $name: a call before it has come back fails, and hangs for nothing",
    async (sdk) => {
      const client = await sdk.connect(new URL(`${server.url}/sse`), slowToReturn());
      await client.callTool({ name: "counter" });
      await server.kill();
      await server.restart();
      const call = client.callTool({ name: "echo", arguments: { text: "into the void" } });
      await expect(within(call, "the refusal")).rejects.toThrow(/404|Session not found/);
      await client.close();
    },
  );

  test("an EventSource comes back to its session, and gets what was sent meanwhile, once", async () => {
    const before = await open(server.url);
    const name = await whoami(before);
    expect(name).toMatchObject({ clientInfo: { name: "behaviour" }, protocolVersion: "2024-11-05" });
    await before.post(toolCall("counter", { by: 7 }));
    expect(textOf(await before.stream.message())).toBe("7");
    await server.kill();
    await server.restart();

    // The endpoint still works before the stream is back.
    const counted = toolCall("counter", { by: 1 });
    await before.post(counted);
    await before.post(toolCall("emit", { count: 3, on: "standalone" }));
    const after = await connect(server.url, before.stream.lastEventId);
    expect(after.endpoint).toBe(before.endpoint);
    const missed = await after.stream.messages(5);
    expect(missed.filter(({ id }) => id === counted.id).map(textOf)).toEqual(["8"]);
    expect(numbersOf(missed)).toEqual(upTo(3));
    expect(missed.map(textOf).filter((text) => text === "emitting")).toHaveLength(1);

    const again = await whoami(after);
    expect(again).toMatchObject({ clientInfo: name["clientInfo"], sessionId8: name["sessionId8"] });
    expect(again["bootId"]).not.toBe(name["bootId"]);
    after.stream.leave();
  });

  test("a call in progress at the kill ends with one error on the stream that comes back", async () => {
    const before = await open(server.url);
    const [first, second] = [toolCall("sleep", LONG, { id: 1 }), toolCall("sleep", LONG, { id: 1 })];
    await before.post(first);
    await before.post(second);
    await server.kill();
    await server.restart();
    const after = await connect(server.url, before.stream.lastEventId);
    // Two calls of one id were in flight: each gets an error, and nothing comes in front of the next answer.
    const echo = toolCall("echo", { text: "after" });
    await after.post(echo);
    expect(await after.stream.messages(3)).toEqual([
      interrupted(1),
      interrupted(1),
      expect.objectContaining({ id: echo.id, result: expect.anything() as unknown }),
    ]);
    after.stream.leave();
  });

  test("a call in progress that may run again does, and its answer comes on the stream", async () => {
    const before = await connect(server.url);
    await before.post({ ...initialize("2024-11-05", { elicitation: {} }) });
    await before.stream.message();
    await before.post(notification("notifications/initialized"));
    const call = toolCall("ask", { message: "well?" });
    await before.post(call);
    const isQuestion = ({ method }: Message): boolean => method === "elicitation/create";
    const first = await before.stream.message(isQuestion);
    await server.kill();
    await server.restart();
    const after = await connect(server.url, before.stream.lastEventId);
    const second = await after.stream.message(isQuestion);
    expect(second.id).not.toBe(first.id);
    await after.post({ jsonrpc: "2.0", id: second.id ?? 0, result: { action: "cancel" } });
    expect(textOf(await after.stream.message(({ id }) => id === call.id))).toBe(
      '{"action":"cancel","answer":null}',
    );
    after.stream.leave();
  });

  test("an EventSource whose session is gone gets another", async () => {
    const before = await open(server.url);
    const { lastEventId = "" } = before.stream;
    // As if it had been issued by another deployment: a well-formed id that this one never minted.
    const foreign = lastEventId.replace(before.session, "f".repeat(64));
    const after = await connect(server.url, foreign);
    expect(after.session).not.toBe(before.session);
    const echo = toolCall("echo", { text: "anew" });
    await after.post(echo);
    expect(textOf(await after.stream.message())).toBe("anew");
    before.stream.leave();
    after.stream.leave();
  });
});

describeBeside(hosts, "on $name, where calls may run again", (host) => {
  const server = mortal(host, { HOLDFAST_QUICK_ANSWER_MS: "50", TEST_RERUN: "sleep" });

  test("one that was answered after a restart does not run again after the next", async () => {
    const before = await open(server.url);
    const call = toolCall("sleep", { ms: 600 });
    await before.post(call);
    await server.kill();
    await server.restart();
    const between = await connect(server.url, before.stream.lastEventId);
    expect(await between.stream.message()).toMatchObject({ id: call.id, result: {} });
    await server.kill();
    await server.restart();
    const after = await connect(server.url, between.stream.lastEventId);
    // As slow as the call would be: its answer would come first.
    const next = toolCall("sleep", { ms: 600 });
    await after.post(next);
    expect(await after.stream.message()).toMatchObject({ id: next.id, result: {} });
    after.stream.leave();
  });
});

describe("where the object alone dies", () => {
  // Long enough to die in before a POST is answered.
  const server = mortal(workerd, { HOLDFAST_QUICK_ANSWER_MS: "1000", TEST_RERUN: "ask" });

  /** Posts a call that the object dies under. */
  const dieUnder = async ({ endpoint, session }: Connection, call: Message): Promise<Response> => {
    await doomObject(server.url, session);
    return post(server.url + endpoint, call);
  };

  test("a POST that the object took with it fails, and the stream goes on", async () => {
    const connection = await open(server.url);
    const { stream } = connection;
    const answer = await dieUnder(connection, toolCall("sleep", LONG));
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    const echo = toolCall("echo", { text: "next" });
    await connection.post(echo);
    expect(await stream.message()).toMatchObject({ id: echo.id, result: {} });
    stream.leave();
  });

  test("a POST that may be made again is, and its answer comes on the stream", async () => {
    const connection = await connect(server.url);
    const { stream } = connection;
    await connection.post(initialize("2024-11-05", { elicitation: {} }));
    await stream.message();
    await connection.post(notification("notifications/initialized"));
    const call = toolCall("ask", { message: "well?" });
    const answer = dieUnder(connection, call);
    const isQuestion = ({ method }: Message): boolean => method === "elicitation/create";
    const first = await stream.message(isQuestion);
    const second = await stream.message(isQuestion);
    expect(second.id).not.toBe(first.id);
    await connection.post({ jsonrpc: "2.0", id: second.id ?? 0, result: { action: "decline" } });
    expect(textOf(await stream.message())).toBe('{"action":"decline","answer":null}');
    expect((await answer).status).toBe(202);
    stream.leave();
  });

  test("a client that never comes back posts before the edge has dialled again: it is answered", async () => {
    const { stream, session, endpoint } = await open(server.url);
    for (const id of upTo(6)) {
      await (id % 2 ? abortObject : dropLinks)(server.url, session);
      const call = toolCall("echo", { text: `${id}` }, { id });
      expect((await post(server.url + endpoint, call)).status).toBe(202);
      expect(textOf(await stream.message((message) => message.id === id))).toBe(`${id}`);
    }
    stream.leave();
  });

  test("the stream goes on: nothing lost, nothing doubled, a call in progress answered", async () => {
    const connection = await open(server.url);
    const { stream, session } = connection;
    const call = toolCall("sleep", LONG);
    await connection.post(call);
    await connection.post(toolCall("emit", { count: 3, on: "standalone" }));
    expect(numbersOf(await stream.messages(4))).toEqual(upTo(3));
    await abortObject(server.url, session);
    expect(await stream.message()).toEqual(interrupted(call.id));
    await connection.post(toolCall("emit", { count: 2, on: "standalone" }));
    expect(numbersOf(await stream.messages(3))).toEqual(upTo(2));
    stream.leave();
  });
});
