/** The row of a session, as tests of what is stored begin with it. @module */
import type { SessionRow } from "../../src/session/store/schema.ts";

/** Initialised, in use, anybody's. */
export const SESSION_ROW = {
  id: "a".repeat(64),
  kind: "streamable",
  status: "active",
  principal: null,
  version: "2025-11-25",
  initialize: "{}",
  initialized: 1,
  standalone: 7,
  created: 1,
  seen: 1,
  ended: null,
  successor: null,
  greeting: null,
} as const satisfies SessionRow;
