/** What tests of sessions that are gone share. @module */
import { expect } from "vitest";
import type { Served } from "./subject.ts";
import { type McpSession, openSession, type SessionSetup } from "./mcp.ts";
import { eventually } from "./wait.ts";

/** Sessions end soon, but not between two steps of a test. */
export const SHORT_LIVED = { HOLDFAST_SESSION_TTL_MS: "2000", HOLDFAST_KEEPALIVE_INTERVAL_MS: "1000" };

/** The body of every 404 for a session, byte for byte but for the id of the request that it refuses. */
export const NOT_FOUND: RegExp =
  /^\{"jsonrpc":"2\.0","error":\{"code":-32001,"message":"Session not found"\},"id":(null|\d+|"[^"]*")\}$/;

/** Waits until these sessions have ended of age. */
export async function expiry(server: Served, ids: readonly (string | undefined)[]): Promise<void> {
  const short = ids.map((id) => id?.slice(0, 8));
  await eventually(() => {
    const ended = server.events().filter(({ type }) => type === "session.expired");
    expect(ended.map(({ session }) => session)).toEqual(expect.arrayContaining(short));
  });
}

/** Opens sessions and waits until all have ended of age. */
export async function expired(server: Served, count: number, setup?: SessionSetup): Promise<McpSession[]> {
  const sessions = await Promise.all(Array.from({ length: count }, () => openSession(server.url, setup)));
  await expiry(
    server,
    sessions.map(({ id }) => id),
  );
  return sessions;
}

/** Checks that this is the 404 for a session; returns the successor that it names. */
export async function expectNotFound(response: Response): Promise<string | null> {
  expect(response.status).toBe(404);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.text()).toMatch(NOT_FOUND);
  return response.headers.get("mcp-session-id");
}
