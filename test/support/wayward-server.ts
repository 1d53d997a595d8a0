/** The wayward server (`wayward.ts`) of each SDK, by its low-level class. @module */
import { Server as V1Server } from "@modelcontextprotocol/sdk/server/index.js";
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { Server as OldServer } from "sdk-1.20/server/index.js";
import { CallToolRequestSchema as OldCallToolRequestSchema } from "sdk-1.20/types.js";
import type { ConnectableServer } from "../../src/session/server/factory.ts";
import {
  act,
  CAPABILITIES,
  createWaywardV2,
  INFO,
  QUESTION,
  type Sdk,
  send,
  type UserHooks,
  type Wayward,
} from "./wayward.ts";

/** One of any. `onclose` and `onerror` are put where the SDKs look for them. */
export function createWaywardServer(sdk: Sdk, hooks: UserHooks = {}): ConnectableServer {
  if (sdk === "2") return createWaywardV2(hooks);
  // The two speak alike; their types do not know each other.
  const server = sdk === "1.32" ? new V1Server(INFO, CAPABILITIES) : new OldServer(INFO, CAPABILITIES);
  const schema = sdk === "1.32" ? CallToolRequestSchema : OldCallToolRequestSchema;
  const handler = async ({ params }: { params: { arguments?: unknown } }, extra: V1Extra): Promise<unknown> =>
    act(params.arguments as Wayward, {
      signal: extra.signal,
      notify: (message) => extra.sendNotification(message),
      ask: () => extra.sendRequest(QUESTION, ANYTHING),
      answer: (result) => send(server, extra.requestId, result),
      close: () => server.close(),
    });
  (server.setRequestHandler as (of: unknown, by: typeof handler) => void).call(server, schema, handler);
  return Object.assign(server, hooks) as ConnectableServer;
}

interface V1Extra {
  requestId: string | number;
  signal: AbortSignal;
  sendNotification(message: object): Promise<void>;
  sendRequest(request: object, schema: object): Promise<unknown>;
}

/** A schema that takes all. */
const ANYTHING = {
  parse: (value: unknown) => value,
  safeParse: (data: unknown) => ({ success: true, data }),
};
