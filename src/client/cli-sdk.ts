/**
 * The SDK of the command line. It is bundled into the program, so that `npx holdfast` needs nothing
 * else, and so that who installs the package as a library installs none of it.
 * @module
 */
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import {
  createTaskSessionFromClient,
  type CreateTaskSessionFromClientOptions,
  type ToolExecution,
} from "@modelcontextprotocol/ext-tasks/client";
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { RawAnswer, RawTransport } from "./cli-raw.ts";
import type { ToolInfo } from "./cli-report.ts";
import type { SdkClient, SdkTransports } from "./sdk.ts";

/** The version of this package. */
export const VERSION = "0.1.0";

/** The extension of 2026-07-28 whose calls become tasks (SEP-2663). */
export const TASKS = "io.modelcontextprotocol/tasks";

/** What a server asks of its client's user: `elicitation/create`, in every era. */
export interface Elicitation {
  readonly mode?: "form" | "url";
  readonly message: string;
  readonly requestedSchema?: { readonly properties?: JsonObject; readonly required?: readonly string[] };
  readonly url?: string;
}

/** The user's answer. */
export interface Elicited {
  readonly action: "accept" | "decline" | "cancel";
  readonly content?: JsonObject;
}

/** What the command line uses of a client. */
export interface CliClient extends SdkClient {
  readonly transport?: RawTransport;
  fallbackNotificationHandler?: (notification: { method: string; params?: unknown }) => Promise<void>;
  getServerVersion(): { name: string; version: string } | undefined;
  getServerCapabilities(): JsonObject | undefined;
  ping(): Promise<unknown>;
  listTools(params?: { cursor: string }): Promise<{ tools: ToolInfo[]; nextCursor?: string }>;
  callTool(...args: unknown[]): Promise<unknown>;
  /** Stateless era. */
  listen?(
    filter: object,
  ): Promise<{ close(): Promise<void>; readonly closed: Promise<"local" | "graceful" | "remote"> }>;
}

const capabilitiesOf = (canAsk: boolean) => (canAsk ? { elicitation: { form: {}, url: {} } } : {});

const INFO = { name: "holdfast", version: VERSION };

/**
 * A client that can be asked where there is somebody to ask.
 * @param knowsTasks whether it says so: its calls may become tasks then
 */
export function newClient(
  elicit: ((asked: Elicitation) => Promise<Elicited>) | undefined,
  knowsTasks: boolean,
): CliClient {
  const capabilities = {
    ...capabilitiesOf(elicit !== undefined),
    ...(knowsTasks && { extensions: { [TASKS]: {} } }),
  };
  const client = new Client(INFO, { capabilities });
  if (elicit !== undefined) {
    client.setRequestHandler(
      "elicitation/create",
      async ({ params }) => (await elicit(params as unknown as Elicitation)) as never,
    );
  }
  return client as unknown as CliClient;
}

/** The transports that belong to it. */
export const TRANSPORTS = { StreamableHTTPClientTransport, SSEClientTransport } as unknown as SdkTransports;

/** What a session of tasks is given: how its requests are sent, and who answers what a task asks. */
export interface TaskHooks {
  /** Whether there is a person to ask. */
  readonly canAsk: boolean;
  rawDispatch(request: { method: string; params?: JsonObject }): Promise<RawAnswer>;
  onInputRequest(kind: "elicitation" | "sampling" | "roots", params: unknown): Promise<Elicited>;
}

/** The client of tasks over a client that is connected. */
export interface TaskSession {
  resumeTask(taskId: string, signal: AbortSignal): Promise<ToolExecution<TaskResult>>;
}

/** A tool's result, as a task keeps it. */
export interface TaskResult {
  readonly content: readonly unknown[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

/**
 * A session of tasks. It is never closed: closing cancels the tasks that it watches, and nothing else is left of it
 * once the watch is over.
 */
export function newTaskSession(
  client: CliClient,
  { canAsk, rawDispatch, onInputRequest }: TaskHooks,
): TaskSession {
  const endpointId = "holdfast";
  const session = createTaskSessionFromClient(
    client as unknown as Client,
    {
      endpointId,
      v2RequestFraming: {
        protocolVersion: "2026-07-28",
        clientInfo: INFO,
        clientCapabilities: capabilitiesOf(canAsk),
      },
      async rawDispatch(request) {
        const answer = await rawDispatch(request as never);
        return "error" in answer
          ? { kind: "error", error: answer.error }
          : { kind: "result", result: answer.result };
      },
      onInputRequest: ({ kind, params }) => onInputRequest(kind, params),
    } as CreateTaskSessionFromClientOptions,
  );
  return {
    resumeTask: (taskId, signal) =>
      session.resumeTask<TaskResult>(
        { endpointId, generation: "v2", taskId: taskId as never, originalOperation: "tools/call" },
        { signal },
      ),
  };
}
