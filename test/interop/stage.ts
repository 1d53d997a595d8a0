/** Where a part plays: one client, one server, and the notebook for what came of it. @module */
import { setTimeout as pause } from "node:timers/promises";
import { type Adapter, type Answer, startAdapter } from "./adapter.ts";
import type { ClientDefinition, Lack } from "./clients.ts";
import type { Lab } from "./lab.ts";
import type { Result } from "./results.ts";

/** How long a notification may take to a client whose stream has broken: time for one or two reconnects. */
const HEARD_LIMIT_MS = 8000;
/** How long a doubled notification is waited for. */
const DOUBLED_MS = 300;
/** Messages that one look at the standalone stream sends. */
const SENT = 3;
/** The revision without sessions, and so without a standalone stream. */
const STATELESS = "2026-07-28";

/** One connected client. */
export interface Connected {
  readonly version: string | undefined;
  /** It keeps a session between two calls. */
  readonly hasSession: boolean;
  list(): Promise<Answer>;
  call(name: string, args: Record<string, unknown>, options?: { progress?: boolean }): Promise<Answer>;
  /** Calls `counter`, and is content only with the number that comes next in this session. */
  count(): Promise<Result>;
  /** Three notifications on the standalone stream: what is heard of them. */
  standalone(limitMs?: number): Promise<Result>;
  heardProgress(): number;
  untilProgress(count: number): Promise<void>;
  /** Lets the client close, and ends its process. */
  close(): Promise<Answer>;
}

export interface Stage {
  readonly lab: Lab;
  readonly transport: "http" | "sse";
  lacks(lack: Lack): boolean;
  /** Starts and connects a client. Throws where it cannot, after noting `connect: F`. */
  open(): Promise<Connected>;
  note(row: string, result: Result): void;
}

/** `ok`, or what became of it. */
export function outcome(answer: Answer, isGood: boolean = answer.ok): Result {
  if (isGood) return "ok";
  return answer.isLate ? "hang" : "F";
}

/** For calls that cannot succeed: an error is what they should end with. */
export function ending(answer: Answer): Result {
  if (answer.ok) return "ok";
  if (answer.isLate) return "hang";
  return answer.error?.includes("interrupted") ? "interr." : "err";
}

export interface StageOptions {
  readonly client: ClientDefinition;
  readonly lab: Lab;
  readonly transport: "http" | "sse";
  readonly folder: string;
  readonly note: (row: string, result: Result) => void;
  readonly log: (line: string) => void;
}

export function createStage({ client, lab, transport, folder, note, log }: StageOptions): Stage & {
  /** Ends every client's process. */
  clear(): Promise<void>;
} {
  const adapters: Adapter[] = [];
  const lacks = (lack: Lack): boolean => client.lacks?.includes(lack) ?? false;

  const open = async (): Promise<Connected> => {
    const adapter = startAdapter(client, lab.proxy.url, transport, folder);
    adapters.push(adapter);
    const connected = await adapter.connect();
    if (!connected.ok) {
      note("connect", outcome(connected));
      throw new Error(`connect: ${connected.error}`);
    }
    const version = typeof connected.value === "string" ? connected.value : undefined;
    // Standing streams are opened after the client says that it is connected.
    await pause(300);
    return connect(adapter, version);
  };

  const connect = (adapter: Adapter, version: string | undefined): Connected => {
    const hasSession = version !== STATELESS && !lacks("session");
    let counted = 0;
    return {
      version,
      hasSession,
      list: adapter.list,
      call: adapter.call,
      async count() {
        counted += 1;
        // Without a session nothing can be counted: an echo of the number has to do.
        const answer = hasSession
          ? await adapter.call("counter", { by: 1 })
          : await adapter.call("echo", { text: `number ${counted}` });
        const expected = hasSession ? String(counted) : `number ${counted}`;
        if (answer.ok && answer.value !== expected) log(`counter: ${String(answer.value)}, not ${expected}`);
        return outcome(answer, answer.ok && answer.value === expected);
      },
      async standalone(limitMs = HEARD_LIMIT_MS) {
        if (version === STATELESS) return "n/a";
        if (lacks("log")) return "–";
        const before = adapter.heard("log");
        const answer = await adapter.call("emit", { count: SENT, intervalMs: 50, on: "standalone" });
        if (!answer.ok) return outcome(answer);
        await adapter.untilHeard("log", before + SENT, limitMs);
        await pause(DOUBLED_MS);
        const heard = adapter.heard("log") - before;
        if (heard === SENT) return "ok";
        return heard === 0 ? "F" : `${heard}/${SENT}`;
      },
      heardProgress: () => adapter.heard("progress"),
      untilProgress: (count) => adapter.untilHeard("progress", count, 500),
      async close() {
        const answer = await adapter.close();
        await pause(300);
        await adapter.end();
        return answer;
      },
    };
  };

  return {
    lab,
    transport,
    lacks,
    open,
    note,
    async clear() {
      for (const adapter of adapters) {
        await adapter.end();
        for (const line of adapter.lines) log(line);
      }
    },
  };
}
