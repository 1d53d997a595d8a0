/**
 * The program around a client in JavaScript: operations come in as JSON lines, answers and what the client
 * heard go out as JSON lines. `loop.py`, `loop.go` and the rest speak the same lines; `../adapter.ts` is
 * the other end.
 *
 * In: `{"id":1,"op":"connect"|"list"|"call"|"close","name":…,"args":…,"progress":true}`.
 * Out: `{"id":1,"ok":true,"value":…,"length":…}`, `{"id":1,"ok":false,"error":…}`, `{"event":"progress"|"log"}`.
 * @module
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** The last arguments of every such program: the server, `http` or `sse`, and the limit for one call in ms. */
const [base = "", transport = "http", limit = "15000"] = process.argv.slice(-3);

/** How long this client lets a call take: its own time-out is set to this. */
export const LIMIT_MS = Number(limit);

/** Loads modules that `npm ci` has put into the folder of the clients. */
export const clientsRequire: NodeJS.Require = createRequire(
  new URL("../.cache/envs/npm/package.json", import.meta.url),
);

/** What a client can do, in its own words. */
export interface ClientProgram {
  /** Resolves to the protocol version, where the client tells. */
  connect(url: string, transport: string): Promise<string | undefined>;
  /** Resolves to the number of tools. */
  list(): Promise<number>;
  call(name: string, args: Record<string, unknown>, progress: boolean): Promise<string>;
  close(): Promise<void>;
}

interface Operation {
  readonly id: number;
  readonly op: "connect" | "list" | "call" | "close";
  readonly name: string;
  readonly args: Record<string, unknown>;
  readonly progress: boolean;
}

export const emit = (message: Record<string, unknown>): void =>
  void process.stdout.write(`${JSON.stringify(message)}\n`);

export const heard = {
  log: (): void => emit({ event: "log" }),
  progress: (): void => emit({ event: "progress" }),
};

/** The user's answer to every question. */
export const blue = (): { action: "accept"; content: { answer: string } } => ({
  action: "accept",
  content: { answer: "blue" },
});

/** The text of a tool's result. A tool's own error is an error here too. */
export function textOf(result: unknown): string {
  const { content = [], isError } = result as { content?: { text?: string }[]; isError?: boolean };
  const text = content.map((part) => part.text ?? "").join("");
  if (isError) throw new Error(`the tool failed: ${text}`);
  return text;
}

async function operate(client: ClientProgram, { op, name, args, progress }: Operation): Promise<unknown> {
  if (op === "connect") return client.connect(`${base}/${transport === "sse" ? "sse" : "mcp"}`, transport);
  if (op === "list") return client.list();
  if (op === "call") return client.call(name, args, progress);
  return client.close();
}

/** Serves operations until standard input ends. */
export function run(client: ClientProgram): void {
  process.on("unhandledRejection", (reason) => console.error("unhandled rejection:", reason));
  process.on("uncaughtException", (error) => console.error("uncaught exception:", error));
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      const operation = JSON.parse(line) as Operation;
      const { id } = operation;
      operate(client, operation).then(
        (value) =>
          typeof value === "string"
            ? emit({ id, ok: true, value: value.slice(0, 200), length: value.length })
            : emit({ id, ok: true, value }),
        (error: unknown) => {
          console.error(error);
          emit({ id, ok: false, error: String(error) });
        },
      );
    })
    .on("close", () => process.exit(0));
}
