/** What the page shows, and what its buttons do. @module */
import { computed, signal } from "@preact/signals";
import { clearLife, log, mark } from "./journal.ts";
import type { Client, ClientEnvironment, Progress, Status } from "./wire/client.ts";
import { DEFAULT_ERA, type Era } from "./wire/eras.ts";
import { createHttpSse } from "./wire/http-sse.ts";
import { createStateless, mirrored } from "./wire/stateless.ts";
import { createStreamable } from "./wire/streamable.ts";
import { announcesTask, followTask, type Task, taskIn } from "./wire/tasks.ts";
import { isObject, type Json, type Message, objectsIn, type Outcome, textIn } from "./wire/types.ts";

/** Beside the page, whatever the mount. */
export const base: string = location.origin + location.pathname.replace(/\/test\/?$/, "");

/** What the next connection speaks. */
export const era = signal<Era>(DEFAULT_ERA);
/** What the header `Authorization` says; empty: nothing. */
export const authorization = signal("");
/** How the connection is. */
export const status = signal<Status>("Disconnected");
/** The session's id, where the era has sessions. */
export const sessionId = signal<string | undefined>(undefined);
/** Name and version, as the server calls itself. */
export const server = signal<string | undefined>(undefined);
/** What the server says of its use. */
export const instructions = signal<string | undefined>(undefined);

/** What the server offers, as it lists it. */
export interface Lists {
  readonly tools: readonly Json[];
  readonly prompts: readonly Json[];
  readonly resources: readonly Json[];
  readonly templates: readonly Json[];
}
const NO_LISTS: Lists = { tools: [], prompts: [], resources: [], templates: [] };
/** What the server offers, as far as it was asked. */
export const lists = signal<Lists>(NO_LISTS);

/** A call that a person made, and what came of it. */
export interface Call {
  readonly n: number;
  readonly title: string;
  /** What it was made with: the list's entry. */
  readonly of: string;
  readonly at: number;
  readonly endedAt: number | undefined;
  readonly progress: Progress | undefined;
  readonly task: Task | undefined;
  readonly outcome: Outcome | undefined;
  readonly cancel: () => void;
}
/** Results are up to 16 MiB: the page keeps those of the last calls only. */
const MAX_CALLS = 10;
/** Pages of a list; a server that always has one more is not read for ever. */
const MAX_PAGES = 100;

/** The last calls, newest first. */
export const calls = signal<readonly Call[]>([]);
let lastCall = 0;
let client: Client | undefined;
/** The version in `/info`, to see a deploy by. */
let deployed: string | undefined;

/** There is a session, or one is being opened. */
export const isConnected = computed(() => status.value !== "Disconnected");
/** There is somebody to talk to. */
export const isOn = computed(() => ["Connected", "Reconnecting", "Cut"].includes(status.value));

const CLIENTS = { streamable: createStreamable, "http+sse": createHttpSse, stateless: createStateless };

/** Opens a session, and asks what the server offers; nothing where there is a session already. */
export async function connect(): Promise<void> {
  // A double click opens one session.
  if (client !== undefined) return;
  clearLife();
  calls.value = [];
  lists.value = NO_LISTS;
  const environment: ClientEnvironment = {
    era: era.value,
    base,
    authorization: () => authorization.value.trim(),
    onStatus(now) {
      if (client !== mine) return;
      if (now === "Connected" && status.value === "Reconnecting") void lookForDeploy();
      status.value = now;
      if (now === "Disconnected") client = undefined;
    },
    onSession: (id) => (sessionId.value = id),
    onNotification: heard,
  };
  const mine = CLIENTS[era.value.transport](environment);
  client = mine;
  void lookForDeploy();
  const outcome = await mine.start();
  if (client !== mine || outcome.type !== "result") return;
  const { result } = outcome;
  const meta = isObject(result["_meta"]) ? result["_meta"] : {};
  const about = result["serverInfo"] ?? meta["io.modelcontextprotocol/serverInfo"];
  if (isObject(about))
    server.value = `${textIn(about["name"]) ?? ""} ${textIn(about["version"]) ?? ""}`.trim();
  instructions.value = textIn(result["instructions"]);
  const can = isObject(result["capabilities"]) ? result["capabilities"] : {};
  if (can["tools"] !== undefined) await load("tools/list");
  if (can["prompts"] !== undefined) await load("prompts/list");
  if (can["resources"] !== undefined) {
    await load("resources/list");
    await load("resources/templates/list");
  }
}

/** Ends the session. */
export async function disconnect(): Promise<void> {
  await client?.end();
}

/** Asks whether the server is there. */
export async function ping(): Promise<void> {
  await client?.request("ping");
}

const MEMBERS = {
  "tools/list": ["tools", "tools"],
  "prompts/list": ["prompts", "prompts"],
  "resources/list": ["resources", "resources"],
  "resources/templates/list": ["templates", "resourceTemplates"],
} as const;

/** Reads a list, all of its pages. */
export async function load(method: keyof typeof MEMBERS): Promise<void> {
  const mine = client;
  const [into, member] = MEMBERS[method];
  const all: Json[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES && mine !== undefined; page++) {
    const outcome = await mine.request(method, cursor === undefined ? {} : { cursor });
    if (client !== mine || outcome.type !== "result") return;
    all.push(...objectsIn(outcome.result[member]));
    lists.value = { ...lists.value, [into]: [...all] };
    cursor = textIn(outcome.result["nextCursor"]);
    if (cursor === undefined) return;
  }
}

const CHANGES: Readonly<Record<string, keyof typeof MEMBERS>> = {
  "notifications/tools/list_changed": "tools/list",
  "notifications/prompts/list_changed": "prompts/list",
  "notifications/resources/list_changed": "resources/list",
};

function heard({ method = "" }: Message): void {
  const list = Object.hasOwn(CHANGES, method) ? CHANGES[method] : undefined;
  if (list !== undefined && isOn.value) void load(list);
}

/** Makes a call that a person asked for: with a name in the timeline, progress, and a way to cancel it. */
export async function call(
  method: string,
  params: Json,
  more: { title: string; of: string; schema?: unknown },
): Promise<void> {
  const mine = client;
  if (mine === undefined) return;
  const cancelled = new AbortController();
  const n = ++lastCall;
  const change = (now: Partial<Call>): void => {
    calls.value = calls.value.map((one) => (one.n === n ? { ...one, ...now } : one));
  };
  const made: Call = {
    n,
    title: more.title,
    of: more.of,
    at: Date.now(),
    endedAt: undefined,
    progress: undefined,
    task: undefined,
    outcome: undefined,
    cancel: () => cancelled.abort(new Error("cancelled")),
  };
  calls.value = [made, ...calls.value].slice(0, MAX_CALLS);
  let outcome = await mine.request(method, params, {
    title: more.title,
    signal: cancelled.signal,
    onProgress: (progress) => change({ progress }),
    ...(mine.era.transport === "stateless" && { headers: mirrored(more.schema, params["arguments"]) }),
  });
  const task =
    outcome.type === "result" && announcesTask(outcome.result) ? taskIn(outcome.result) : undefined;
  if (task !== undefined) {
    mark("call", `${more.title} is a task now: ${task.id.slice(0, 12)}`);
    outcome = await followTask(mine, task, {
      onTask: (now) => change({ task: now }),
      cancelled: cancelled.signal,
    });
    mark(outcome.type === "result" ? "answer" : "error", `the task of ${more.title} has ended`);
  }
  change({ outcome, endedAt: Date.now() });
}

/** The server has the tool that sends events. */
export const canBurst = computed(() => lists.value.tools.some(({ name }) => name === "emit"));

/** A hundred numbered events, by the example's tool `emit`. */
export function sendEvents(): Promise<void> {
  const on = era.value.transport === "stateless" ? "request" : "standalone";
  return call(
    "tools/call",
    { name: "emit", arguments: { count: 100, on } },
    { title: "emit 100", of: "tool emit" },
  );
}

/** Cuts every connection, until `resume`. */
export function cut(): void {
  client?.cut();
}

/** Comes back to where the streams were, or to this event of one of them. */
export function resume(from?: string): void {
  client?.resume(from);
}

/** Under `npm start`: where the server is told to start anew. */
export const restartUrl: string | undefined = document.getElementById("app")?.dataset["restart"] || undefined;

/** Has the development server started anew. */
export async function restartServer(): Promise<void> {
  if (restartUrl === undefined) return;
  mark("deploy", "the server is told to start anew");
  try {
    const response = await fetch(restartUrl, { method: "POST", headers: { "X-Holdfast-Console": "1" } });
    log(response.ok ? "status" : "error", `The server starts anew: ${response.status}`);
  } catch (error) {
    log("error", `The server could not be told: ${String(error)}`);
  }
}

/** Another version than before is a deploy, which nobody tells of as such. */
async function lookForDeploy(): Promise<void> {
  try {
    const header = authorization.value.trim();
    const response = await fetch(`${base}/info`, { headers: header === "" ? {} : { Authorization: header } });
    if (!response.ok) return;
    const about: unknown = await response.json();
    if (!isObject(about)) return;
    const now = `${textIn(about["name"]) ?? ""} ${textIn(about["version"]) ?? ""}`.trim();
    if (deployed !== undefined && deployed !== now) mark("deploy", `deployed: ${deployed} → ${now}`);
    deployed = now;
    server.value ??= now;
  } catch {
    // It is a courtesy: whatever is wrong, the connection itself says better.
  }
}
