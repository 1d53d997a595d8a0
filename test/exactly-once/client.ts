/**
 * One client with one session, that keeps the rules a client must keep: it resumes from the furthest id it
 * has read, and reads nothing more from a connection that it has resumed elsewhere.
 * @module
 */
import { comesBack } from "../../src/jsonrpc/versions.ts";
import type { Inspection } from "../support/back-door.ts";
import { initialize, type Message, notification, toolCall } from "../support/messages.ts";
import { connectSse, type SseConnection } from "../support/sse-client.ts";
import { within } from "../support/wait.ts";
import type { Burst, Disturbance } from "./steps.ts";
import { createTrack, type Track } from "./track.ts";

export type Stored = Pick<Inspection, "tables">;

/** A server with its back door. */
export interface World {
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** What the session has stored, table by table. */
  inspect(session: string): Promise<Stored>;
  /** Resolves once the server can be reached again. */
  disturb(how: Disturbance, session: string): Promise<void>;
  /** Whether the server, by its settings, ends connections on its own. */
  readonly hasLimits: boolean;
  /** Whether a kill may be one that the process hears: it ends its connections in order, for their clients to come back. */
  readonly drains?: boolean;
}

/** A tool call, and what became of it. */
export interface Call {
  readonly id: string;
  /** What names the burst in its messages. */
  readonly tag: string;
  /** The burst that it sends; undefined for the call that waits until all are sent. */
  readonly burst: Burst | undefined;
  readonly track: Track;
  /** The answer, where it came as JSON. */
  json: Message | undefined;
  /** True once its isolate may have died before it was done. */
  disturbed: boolean;
  /** The client lost its connection before any frame had named the stream: it cannot come back. */
  lost: boolean;
  /** Settles with the head of the POST's answer. */
  answered: Promise<void>;
}

export interface Client {
  readonly session: string;
  readonly standalone: Track;
  readonly calls: readonly Call[];
  /** Names of streams whose connection the server gave up: cut without being killed, or ended without a reason. */
  readonly dropped: readonly string[];
  call(tool: "burst" | "settle", burst?: Burst): Call;
  /** GETs the standalone stream without an event id, where that is safe, and reads the old connection to its end. */
  takeOver(): Promise<void>;
  /** Resumes from the last id read. What the old connection still brings is no longer looked at. */
  resume(track: Track): Promise<void>;
  disturb(how: Disturbance): Promise<void>;
  /** Sees a call through to its answer, resuming as often as need be. */
  finish(call: Call): Promise<void>;
  /** Keeps the standalone stream open until `isDone`. */
  listen(isDone: () => boolean): Promise<void>;
  /** Drops all connections. */
  leave(): void;
}

const BOUND_MS = 20_000;

/** Opens a session. */
export async function createClient(world: World, version: string): Promise<Client> {
  const standalone = createTrack("standalone");
  const calls: Call[] = [];
  const dropped: string[] = [];
  /** Disturbances so far, and those that are not over. */
  let epoch = 0;
  let underway = 0;
  let kills = 0;
  /** Kills that are not over: who comes in the midst of one may meet it. */
  let killing = 0;
  /** When the standalone stream was last asked for. */
  let attachedIn = 0;
  let headers: Record<string, string> = {
    Accept: "application/json, text/event-stream",
    "Content-Type": "application/json",
  };

  /** Clients from before an end could be none are cut where they are to come back (`src/http/quirks.ts`). */
  const isBrokenOff = (track: Track): boolean =>
    world.hasLimits && track === standalone && !comesBack(version);

  const wasKilled = (before: number): boolean => kills > before || killing > 0;

  /** Kills before each connection was asked for. */
  const killsBefore = new WeakMap<SseConnection, number>();

  /** Ended in order, with more to come, by nothing that would end it. */
  const isGivenUp = (track: Track, connection: SseConnection): boolean =>
    connection.state === "ended" &&
    !world.hasLimits &&
    !(world.drains === true && wasKilled(killsBefore.get(connection) ?? 0)) &&
    !isAnswered(track);

  /** Undefined where the process was killed under the request; `join` takes the response for a stream. */
  const send = async (
    init: RequestInit,
  ): Promise<{ response: Response; join: (track: Track) => void } | undefined> => {
    const before = kills;
    const controller = new AbortController();
    try {
      const response = await world.fetch("/mcp", { ...init, signal: controller.signal });
      const join = (track: Track): void => {
        const connection = connectSse(response, () => controller.abort());
        track.connections.push(connection);
        killsBefore.set(connection, before);
        void connection.over.then((state) => {
          if (state === "broken" && !wasKilled(before) && !isBrokenOff(track)) dropped.push(track.name);
        });
      };
      return { response, join };
    } catch (error) {
      if (wasKilled(before)) return undefined;
      throw error;
    }
  };
  const post = (message: Message): ReturnType<typeof send> =>
    send({ method: "POST", headers, body: JSON.stringify(message) });

  const attach = async (track: Track, lastEventId: string | undefined): Promise<void> => {
    const resumed = lastEventId === undefined ? undefined : { "Last-Event-ID": lastEventId };
    for (let attempt = 1; ; attempt++) {
      const before = epoch;
      const got = await send({ headers: { ...headers, Accept: "text/event-stream", ...resumed } });
      if (got === undefined) return;
      const { response, join } = got;
      if (response.status === 200) {
        if (track === standalone) attachedIn = before;
        return join(track);
      }
      const body = await response.text();
      // A stream that has said all it will ever say.
      if (response.status === 204 && isAnswered(track)) return;
      // A session that is reset again and again under the question may say so: the client asks again.
      if (response.status === 503 && epoch > before && attempt < 20) continue;
      throw new Error(`GET ${track.name} after ${lastEventId}: ${response.status} ${body}`);
    }
  };

  const isAnswered = (track: Track): boolean => calls.some((call) => call.track === track && isSettled(call));

  const isSent = ({ burst, tag }: Call): boolean => {
    const sent = standalone
      .runs()
      .flat()
      .filter(({ data }) => data.includes(`"tag":"${tag}"`));
    return sent.length === burst?.sizes.length;
  };

  const opened = await post(initialize(version));
  const session = opened?.response.headers.get("mcp-session-id") ?? undefined;
  if (opened === undefined || session === undefined) throw new Error("no session");
  await opened.response.json();
  headers = { ...headers, "Mcp-Session-Id": session, "MCP-Protocol-Version": version };
  const accepted = await post(notification("notifications/initialized"));
  await accepted?.response.body?.cancel();

  const client: Client = {
    session,
    standalone,
    calls,
    dropped,

    call(tool, burst) {
      const id = `${tool}-${calls.length + 1}`;
      const tag = `${session}/${id}`;
      const call: Call = {
        id,
        tag,
        burst,
        track: createTrack(id),
        json: undefined,
        disturbed: underway > 0,
        lost: false,
        answered: Promise.resolve(),
      };
      const ask = async (): Promise<void> => {
        const before = kills;
        const got = await post(toolCall(tool, { ...burst, tag }, { id }));
        if (got === undefined) return void (call.lost = true);
        const { response, join } = got;
        if (response.headers.get("content-type") === "text/event-stream") return join(call.track);
        try {
          call.json = (await response.json()) as Message;
        } catch (error) {
          if (!wasKilled(before)) throw error;
          call.lost = true;
        }
      };
      call.answered = ask();
      call.answered.catch(() => {});
      calls.push(call);
      return call;
    },

    async takeOver() {
      const { current } = standalone;
      // One that leaves in the middle is not read to its end: what it drops is lost to whoever names no id.
      if (current?.state !== "open" || current.isLeaving) return client.resume(standalone);
      // Without an id the server says where to go on, which it knows as long as its end of the old link lives.
      if (underway > 0 || attachedIn !== epoch || world.hasLimits) return;
      await attach(standalone, undefined);
      current.resume();
      // Until then the last id, which is the new connection's, does not tell what was read.
      if (standalone.open.length === 1) return;
      const oneEnds = Promise.race(standalone.open.map(({ over }) => over));
      await within(oneEnds, "standalone: the end of the connection that was replaced");
    },

    async resume(track) {
      const old = track.current;
      // Nothing has named a place yet: the client reads on, for there is nowhere to come back to.
      if (old?.state === "open" && track.lastEventId === undefined) return;
      if (old !== undefined && isGivenUp(track, old)) dropped.push(track.name);
      old?.pause();
      await attach(track, track.lastEventId);
      old?.leave();
    },

    async disturb(how) {
      epoch += 1;
      if (how === "kill") {
        kills += 1;
        killing += 1;
      }
      for (const call of calls) {
        // A burst on the standalone stream goes on after its call was answered.
        const isDone = call.burst?.on === "standalone" ? isSent(call) : isSettled(call);
        if (!isDone) call.disturbed = true;
      }
      underway += 1;
      await world.disturb(how, session).finally(() => {
        underway -= 1;
        if (how === "kill") killing -= 1;
      });
    },

    async finish(call) {
      const { track, id } = call;
      await within(call.answered, `${id}: the head of its answer`, BOUND_MS);
      const bound = Date.now() + BOUND_MS;
      while (!isSettled(call)) {
        if (Date.now() > bound) throw new Error(`${id} was never answered`);
        const { current } = track;
        if (current?.state === "open") {
          current.resume();
          await current.until(
            () => isSettled(call) || current.state !== "open",
            `${id}: an answer`,
            BOUND_MS,
          );
        } else if (track.lastEventId === undefined) call.lost = true;
        else await client.resume(track);
      }
    },

    async listen(isDone) {
      const bound = Date.now() + BOUND_MS;
      while (!isDone()) {
        if (Date.now() > bound)
          throw new Error(`standalone: ${standalone.runs().flat().length} events, then nothing`);
        if (standalone.current?.state !== "open") await client.resume(standalone);
        for (const connection of standalone.open) connection.resume();
        // Whether it brought the rest or ended: both are looked at above.
        await standalone.current?.until(isDone, "the rest", 250).catch(() => {});
      }
    },

    leave() {
      for (const track of [standalone, ...calls.map(({ track }) => track)]) {
        for (const connection of track.open) connection.leave();
      }
    },
  };
  return client;
}

/** The answer to a call, as far as there is one. */
export function answerOf({ json, track }: Call): Message | undefined {
  if (json !== undefined) return json;
  const last = track.runs().flat().at(-1);
  const message = last === undefined ? undefined : (JSON.parse(last.data) as Message);
  return message?.method === undefined ? message : undefined;
}

function isSettled(call: Call): boolean {
  return call.lost || answerOf(call) !== undefined;
}
