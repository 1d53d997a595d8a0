/** A client to connect, and what its application hears of. @module */
import { connect, type Connection, type ConnectOptions } from "../../../src/client/index.ts";
import { unpooledFetch } from "../../support/unpooled-fetch.ts";
import type { PlainClient, SdkParts } from "./sdk-parts.ts";

export const retry = { initialDelayMs: 5, maxDelayMs: 20, attempts: 100 };

export interface Connecting {
  readonly client: PlainClient;
  /** What the application heard of. */
  readonly heard: string[];
  /** Connects the client, with the SDK's own transports. */
  open(url: string, options?: Partial<ConnectOptions<PlainClient>>): Promise<Connection<PlainClient>>;
}

/** A client of this SDK that nothing has been done with. */
export function prepareConnect({ create, transports }: SdkParts): Connecting {
  const heard: string[] = [];
  const client = create();
  Object.assign(client, {
    onclose: () => heard.push("close"),
    onerror: (error: Error) => heard.push(`error: ${error.message}`),
  });
  return {
    client,
    heard,
    open: (url, options = {}) =>
      connect(url, { client, transports, retry, fetch: unpooledFetch, ...options }),
  };
}
