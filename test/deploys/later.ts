/** A deployment of this version beside a later one, and what a client is told where they cannot read each other. @module */
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { type McpSession, openSession } from "../support/mcp.ts";
import type { Message } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { type Gradual, startGradual } from "./gradual.ts";
import type { Raised } from "./versions.ts";

export interface Setup {
  readonly gradual: Gradual;
  /** What was logged since the test began, of one type. */
  logged(type: string): { type: string; [field: string]: unknown }[];
  /** A session whose object is of the new version, as its edge reaches it. */
  open(): Promise<McpSession>;
}

/** This version beside a later one, for all tests of the enclosing `describe`. */
export function deployed(raised: Raised, hub: "new" | "later" = "new"): Setup {
  let started: Gradual | undefined;
  let before = 0;
  const running = (): Gradual => {
    if (started === undefined) throw new Error("the server runs only while the tests do");
    return started;
  };
  beforeAll(async () => {
    started = await startGradual({ versions: ["new", "later"], objects: "new", hub, raised });
  });
  beforeEach(() => {
    before = running().server.events().length;
  });
  afterAll(() => started?.server.close());
  return {
    get gradual() {
      return running();
    },
    logged: (type) =>
      running()
        .server.events()
        .slice(before)
        .filter((event) => event.type === type),
    open: () => openSession(running().edge("new")),
  };
}

/** What a client is told that should come back; `id` is that of the request that it sent, where it sent one. */
export async function expectComeBack(response: Response, id?: Message["id"]): Promise<void> {
  if (id !== undefined) return expectNotNow(response, id);
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(await response.json()).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 }, id: null });
}
