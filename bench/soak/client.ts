/**
 * One client of the soak: a session with its standalone stream open, and one call at a time. It comes back
 * wherever it is dropped, and accounts for all that it is told.
 * @module
 */
import { initialize, LATEST, notification, toolCall } from "../../test/support/messages.ts";
import { type Channel, type Faults, note, openChannel } from "./account.ts";
import type { Http, Opened } from "./http.ts";

/** What the clients know of the server and its misfortunes. */
export interface World {
  readonly http: Http;
  readonly faults: Faults;
  /** Resolves while the server is there. */
  up(): Promise<void>;
  /** Whether the server, or this session's object, has died since, or is dying now; asked once something went wrong. */
  watch(session: string): () => boolean;
  /** How often all connections were cut. */
  cuts(): number;
  /** Counts what happened, by name. */
  count(what: Counted): void;
}

/** What is counted of what clients do and see. */
export type Counted =
  | "sessions"
  | "quick calls"
  | "streamed calls"
  | "standalone bursts"
  | "calls resumed"
  | "calls interrupted"
  | "calls that broke"
  | "streams resumed";

/** A call to be made. */
export interface Plan {
  readonly on: "quick" | "request" | "progress" | "standalone";
  readonly count: number;
  readonly everyMs: number;
  /** The client drops its connection after so many messages, and comes back. */
  readonly dropsAfter: number | undefined;
}

export interface SoakClient {
  readonly session: string;
  /** Makes a call and sees it through. */
  call(plan: Plan): Promise<void>;
  /** Drops the standalone stream; it comes back. */
  drop(): void;
  /** Reads nothing of the standalone stream for so long. */
  stall(ms: number): void;
  /** Waits for what is owed, and ends: by DELETE, or by never coming back. */
  end(how: "deleted" | "left"): Promise<void>;
}

/** How long anything may take while the server is there: restarts, resumes and slow readers included. */
const HUNG_MS = 30_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly progress?: number; readonly data?: { readonly n: number } };
  readonly result?: object;
  readonly error?: { readonly message: string; readonly data?: { readonly reason?: string } };
}

const numberOf = ({ params }: Message): number | undefined => params?.progress ?? params?.data?.n;

/** The answer, as far as a call got. */
interface Fate {
  answer: Message | undefined;
  lastEventId: string | undefined;
  /** What it has come to, for whoever looks into one that hung. */
  stage: string;
}

/** Opens a session and its stream. */
export async function openClient(world: World): Promise<SoakClient> {
  const { http, faults } = world;
  const accept = { Accept: "application/json, text/event-stream" };
  const json = { ...accept, "Content-Type": "application/json" };

  const open = async (): Promise<string> => {
    for (const bound = Date.now() + HUNG_MS; ; await pause(200)) {
      await world.up();
      try {
        const opened = await http.send({
          method: "POST",
          headers: json,
          body: JSON.stringify(initialize(LATEST)),
        });
        await opened.text();
        if (opened.session === undefined) throw new Error(`initialize was answered ${opened.status}`);
        const headers = { ...json, "Mcp-Session-Id": opened.session, "MCP-Protocol-Version": LATEST };
        const body = JSON.stringify(notification("notifications/initialized"));
        const accepted = await http.send({ method: "POST", headers, body });
        await accepted.text();
        if (accepted.status !== 202) throw new Error(`initialized was answered ${accepted.status}`);
        return opened.session;
      } catch (error) {
        // Where the server died or the network broke in between, the session is left to its end.
        if (Date.now() > bound) throw error;
      }
    }
  };

  const session = await open();
  world.count("sessions");
  const name = session.slice(0, 8);
  const headers = { "Mcp-Session-Id": session, "MCP-Protocol-Version": LATEST };
  const standalone: Channel = openChannel(`${name} standalone`, faults);
  let stream: Opened | undefined;
  let isOver = false;
  let ids = 0;
  /** A burst's fate is not known: no other is sent in this session. */
  let isMuddled = false;

  /** Follows the standalone stream over as many connections as it takes. */
  const follow = async (): Promise<void> => {
    let lastEventId: string | undefined;
    let since = Date.now();
    for (let times = 0; !isOver; times++) {
      await world.up();
      const died = world.watch(session);
      const place: Record<string, string> = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
      try {
        const asked = Date.now();
        // To wait for its turn is the client's own time.
        const onSent = (): void => void (since += Date.now() - asked);
        stream = await http.send({ method: "GET", headers: { ...accept, ...headers, ...place }, onSent });
        if (stream.status !== 200) {
          const text = await stream.text();
          if (isOver) return;
          if (!died()) note(faults, "wrong", { what: `${name}: GET was answered ${stream.status} ${text}` });
        } else {
          if (times > 0) world.count("streams resumed");
          if (isOver) stream.cut();
          await stream.events(({ id, data }) => {
            since = Date.now();
            lastEventId = id ?? lastEventId;
            const n = data === "" ? undefined : numberOf(JSON.parse(data) as Message);
            if (n !== undefined) standalone.came(n);
          });
          since = Date.now();
        }
      } catch {
        // Refused or broken: comes again.
      }
      if (Date.now() - since > HUNG_MS) {
        note(faults, "hung", { what: `${name}: its stream cannot be opened` });
        since = Date.now();
      }
      await pause(100 + Math.random() * 400);
    }
  };
  const followed = follow();

  /** Reads a call's stream until it has its answer, or the connection is over. */
  const read = async (opened: Opened, fate: Fate, hear: (message: Message) => void): Promise<void> => {
    await opened.events(({ id, data }) => {
      fate.lastEventId = id ?? fate.lastEventId;
      fate.stage = "a stream that goes on";
      if (data === "") return;
      const message = JSON.parse(data) as Message;
      if (message.method === undefined) fate.answer = message;
      hear(message);
    });
  };

  /** Comes back for the rest of a call; rejects where nobody has it. */
  const resume = async (fate: Fate, hear: (message: Message) => void): Promise<void> => {
    await world.up();
    const died = world.watch(session);
    const id = { "Last-Event-ID": fate.lastEventId ?? "" };
    fate.stage = "asking for the rest";
    const opened = await http
      .send({ method: "GET", headers: { ...accept, ...headers, ...id } })
      .catch(() => undefined);
    if (opened === undefined) return;
    fate.stage = "the rest, of which nothing came";
    if (opened.status === 200) {
      world.count("calls resumed");
      return read(opened, fate, hear);
    }
    const text = await opened.text().catch(() => "");
    if (!died()) throw new Error(`the rest of a call was answered ${opened.status} ${text}`);
  };

  /** Posts the call and follows it; what came of it is in `fate`. */
  const make = async (plan: Plan, from: number, { fate, channel, isCut }: Making): Promise<void> => {
    const id = ++ids;
    const args = { from, count: plan.count, on: plan.on, everyMs: plan.everyMs };
    const ask = plan.on === "progress" ? { id, progressToken: id } : { id };
    const call = plan.on === "quick" ? toolCall("echo", { text: name }, ask) : toolCall("count", args, ask);
    let heard = 0;
    let opened: Opened | undefined;
    const hear = (message: Message): void => {
      const n = numberOf(message);
      if (n === undefined) return;
      channel?.came(n);
      heard += 1;
      if (heard === plan.dropsAfter) {
        isCut.value = true;
        opened?.cut();
      }
    };
    opened = await http.send({
      method: "POST",
      headers: { ...json, ...headers },
      body: JSON.stringify(call),
    });
    if (opened.isStream) {
      fate.stage = "a stream that said nothing";
      await read(opened, fate, hear);
      const bound = Date.now() + HUNG_MS;
      while (fate.answer === undefined && fate.lastEventId !== undefined && Date.now() < bound) {
        await pause(50 + Math.random() * 200);
        await resume(fate, hear);
      }
    } else {
      fate.stage = "one answer";
      const text = await opened.text();
      const answer = JSON.parse(text) as Message;
      if (opened.status !== 200 && answer.error?.data?.reason !== "interrupted")
        throw new Error(`a call was answered ${opened.status} ${text}`);
      fate.answer = answer;
    }
  };

  return {
    session,
    async call(wanted) {
      const plan: Plan = isMuddled && wanted.on === "standalone" ? { ...wanted, on: "request" } : wanted;
      await world.up();
      const channel = plan.on === "standalone" ? standalone : openChannel(`${name} ${plan.on}`, faults);
      const batch = plan.on === "quick" ? undefined : channel.promise(plan.count);
      const cutsBefore = world.cuts();
      const died = world.watch(session);
      const fate: Fate = { answer: undefined, lastEventId: undefined, stage: "posted" };
      const isCut = { value: false };
      const own = plan.on === "standalone" ? undefined : channel;
      const making = make(plan, batch?.from ?? 0, { fate, channel: own, isCut });
      const ended = await endOf(making);
      const what = `${name} ${plan.on} ${JSON.stringify(plan)}`;
      const { answer } = fate;
      if (ended === "late") {
        const { stage, lastEventId = "none" } = fate;
        const has = answer === undefined ? "no answer" : "the answer, and no end";
        note(faults, "hung", {
          what: `${what}: ${has} (${stage}, last event ${lastEventId}, died ${died()})`,
        });
      }
      if (batch !== undefined) batch.end = answer?.result === undefined ? "beginning" : "all";
      if (answer?.result !== undefined) world.count(COUNTED[plan.on]);
      else if (answer !== undefined && answer.error?.data?.reason === "interrupted" && died())
        world.count("calls interrupted");
      else if (answer !== undefined) note(faults, "wrong", { what: `${what}: ${JSON.stringify(answer)}` });
      else if (ended !== "late") {
        // Without an id there is nothing to come back to: fair where the connection broke for a known reason.
        if (!died() && world.cuts() === cutsBefore && !isCut.value)
          note(faults, "wrong", { what: `${what}: ${ended?.message ?? "ended without an answer"}` });
        else world.count("calls that broke");
        // It may still run, and what it says must not meet another's numbers.
        if (plan.on === "standalone") isMuddled = true;
      }
      if (own !== undefined) own.close();
    },
    drop: () => stream?.cut(),
    stall: (ms) => stream?.stall(ms),
    async end(how) {
      for (const bound = Date.now() + HUNG_MS; standalone.missing() > 0 && Date.now() < bound;)
        await pause(50);
      standalone.close();
      isOver = true;
      if (how === "deleted") {
        await world.up();
        const gone = await http.send({ method: "DELETE", headers }).catch(() => undefined);
        await gone?.text().catch(() => "");
      }
      stream?.cut();
      await followed;
    },
  };
}

/** What a promise came to: its error, or nothing, or `late`. */
function endOf(making: Promise<void>): Promise<Error | "late" | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("late"), 2 * HUNG_MS);
    making
      .then(
        () => resolve(undefined),
        (error: unknown) => resolve(error as Error),
      )
      .finally(() => clearTimeout(timer));
  });
}

/** What a call is followed by. */
interface Making {
  readonly fate: Fate;
  readonly channel: Channel | undefined;
  /** True once the client has dropped the call's connection on purpose. */
  readonly isCut: { value: boolean };
}

const COUNTED = {
  quick: "quick calls",
  request: "streamed calls",
  progress: "streamed calls",
  standalone: "standalone bursts",
} as const satisfies Record<Plan["on"], Counted>;
