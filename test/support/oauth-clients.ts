/**
 * Clients of the official SDKs that sign in by themselves: each with the SDK's own OAuth flow, of which a test
 * sees the address that its user would be sent to.
 * @module
 */
import {
  Client as V2Client,
  type OAuthClientProvider as V2Provider,
  StreamableHTTPClientTransport as V2Transport,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { OAuthClientProvider as V1Provider } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Message } from "./messages.ts";

export interface Tokens {
  access_token: string;
  refresh_token?: string | undefined;
  scope?: string | undefined;
}

/** What a client remembers between its starts: a test may look, and change it. */
export interface Wallet {
  /** Loses the refresh token, where with one the client would not ask its user for more scopes. */
  readyToStepUp(): void;
  tokens: Tokens | undefined;
  /** Registrations that it has made. */
  registrations: number;
  /** Where its user was sent last. */
  authorizationUrl: URL | undefined;
}

export interface OAuthClient {
  readonly wallet: Wallet;
  readonly sessionId: string | undefined;
  readonly notifications: Message[];
  /** Connects; rejects where its user has to sign in first. */
  connect(): Promise<void>;
  /** The user came back with this. */
  finish(code: string, iss: string | null): Promise<void>;
  call(name: string, args?: Record<string, unknown>): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface OAuthSdk {
  readonly name: string;
  readonly era: "session" | "modern";
  client(url: string): OAuthClient;
}

const info = { name: "oauth-test", version: "1.0.0" };
const PATIENT = {
  initialReconnectionDelay: 100,
  maxReconnectionDelay: 500,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: 100,
};

export const OAUTH_SDKS: readonly OAuthSdk[] = [
  sdk("1.32.2", "session", (url, provider, notifications) => {
    const transport = new V1Transport(url, {
      authProvider: provider as V1Provider,
      reconnectionOptions: PATIENT,
    });
    const client = new V1Client(info);
    client.fallbackNotificationHandler = hear(notifications);
    return { client, transport, connect: () => client.connect(transport) };
  }),
  ...(["session", "modern"] as const).map((era) =>
    sdk("2.4.0", era, (url, provider, notifications) => {
      const transport = new V2Transport(url, {
        authProvider: provider as V2Provider,
        reconnectionOptions: PATIENT,
      });
      const client = new V2Client(info, {
        versionNegotiation: { mode: era === "modern" ? { pin: "2026-07-28" } : "legacy" },
      });
      client.fallbackNotificationHandler = hear(notifications);
      return { client, transport, connect: () => client.connect(transport) };
    }),
  ),
];

function hear(notifications: Message[]): (notification: unknown) => Promise<void> {
  return (notification) => {
    notifications.push(notification as Message);
    return Promise.resolve();
  };
}

interface Parts {
  readonly client: {
    callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
    close(): Promise<void>;
  };
  readonly transport: {
    readonly sessionId: string | undefined;
    finishAuth(code: string, iss?: string): Promise<unknown>;
  };
  connect(): Promise<void>;
}

const REDIRECT = "http://127.0.0.1:1/callback";

function sdk(
  name: string,
  era: "session" | "modern",
  build: (url: URL, provider: unknown, notifications: Message[]) => Parts,
): OAuthSdk {
  return {
    name: `SDK ${name}, ${era === "modern" ? "2026-07-28" : "2025-11-25"}`,
    era,
    client(url) {
      // SDK v1 with a refresh token refreshes instead, gets a token of the same scopes, and gives up ("403 after
      // trying upscoping").
      const stepsUpWithRefreshToken = !name.startsWith("1.");
      const wallet: Wallet = {
        tokens: undefined,
        registrations: 0,
        authorizationUrl: undefined,
        readyToStepUp() {
          if (stepsUpWithRefreshToken || wallet.tokens === undefined) return;
          wallet.tokens = { ...wallet.tokens, refresh_token: undefined };
        },
      };
      const notifications: Message[] = [];
      let registered: unknown;
      let discovered: unknown;
      let verifier = "";
      const provider = {
        redirectUrl: REDIRECT,
        clientMetadata: {
          client_name: "oauth-test",
          redirect_uris: [REDIRECT],
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          token_endpoint_auth_method: "none",
          application_type: "native",
        },
        clientInformation: () => registered,
        saveClientInformation(given: unknown) {
          registered = given;
          wallet.registrations += 1;
        },
        tokens: () => wallet.tokens,
        saveTokens: (tokens: Tokens) => void (wallet.tokens = tokens),
        redirectToAuthorization: (to: URL) => void (wallet.authorizationUrl = to),
        saveCodeVerifier: (given: string) => void (verifier = given),
        codeVerifier: () => verifier,
        saveDiscoveryState: (state: unknown) => void (discovered = state),
        discoveryState: () => discovered,
      };
      const make = (): Parts => build(new URL(`${url}/mcp`), provider, notifications);
      let parts = make();
      let isStarted = false;
      return {
        wallet,
        notifications,
        get sessionId() {
          return parts.transport.sessionId;
        },
        connect() {
          // A transport can be started once.
          if (isStarted) parts = make();
          isStarted = true;
          return parts.connect();
        },
        finish: async (code, iss) => void (await parts.transport.finishAuth(code, iss ?? undefined)),
        async call(tool, args = {}) {
          const result = await parts.client.callTool({ name: tool, arguments: args });
          return (result as { content?: { text?: string }[] }).content?.[0]?.text;
        },
        close: () => parts.client.close(),
      };
    },
  };
}
