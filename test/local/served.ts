/** The local host within the test's own process, served on a port: what can be looked into. @module */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { HoldfastEvent } from "../../src/index.ts";
import { createLocalMcp, type LocalMcp, type LocalMcpOptions, serve } from "../../src/local/node.ts";
import { ACCEPT_BOTH } from "../support/mcp.ts";
import { initialize, notification } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";

export interface Served extends LocalMcp {
  readonly url: string;
  readonly events: HoldfastEvent[];
  /** Ends server and host, as the end of the process would. */
  close(): Promise<void>;
}

/** Ended with the test at the latest. */
export async function served(options: Partial<LocalMcpOptions> = {}): Promise<Served> {
  const events: HoldfastEvent[] = [];
  const mcp = createLocalMcp({
    createServer: createTestServer,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
  onTestFinished(server.close);
  return { ...mcp, url: server.url, events, close: server.close };
}

/** POSTs to the router with no server between: for tests with a time of their own. */
export async function ask({ router }: LocalMcp, body: unknown, id?: string): Promise<Response> {
  const headers = new Headers({ "Content-Type": "application/json", Accept: ACCEPT_BOTH });
  if (id !== undefined) headers.set("Mcp-Session-Id", id);
  return router.request("/mcp", { method: "POST", headers, body: JSON.stringify(body) });
}

/** Opens a session in the same way, and returns its id. */
export async function open(mcp: LocalMcp): Promise<string> {
  const id = (await ask(mcp, initialize())).headers.get("mcp-session-id");
  if (id === null) throw new Error("no session");
  await ask(mcp, notification("notifications/initialized"), id);
  return id;
}

/** A directory that is gone after the test. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The path of a database file that does not exist yet. */
export function freshFile(): string {
  return join(directory(), "sessions.db");
}
