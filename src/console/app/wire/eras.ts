/** The protocol's eras, as a person picks one. @module */
import type { Json } from "./types.ts";

/** One of the ways to speak. */
export interface Era {
  /** The revision that is asked for. */
  readonly version: string;
  readonly label: string;
  readonly transport: "streamable" | "http+sse" | "stateless";
}

/** The newest era that has sessions. */
export const DEFAULT_ERA: Era = {
  version: "2025-11-25",
  label: "2025-11-25 · sessions",
  transport: "streamable",
};

/** Newest first, but for the default, which is the newest that has sessions. */
export const ERAS: readonly Era[] = [
  { version: "2026-07-28", label: "2026-07-28 · stateless", transport: "stateless" },
  DEFAULT_ERA,
  { version: "2025-06-18", label: "2025-06-18 · sessions", transport: "streamable" },
  { version: "2025-03-26", label: "2025-03-26 · sessions", transport: "streamable" },
  { version: "2024-11-05", label: "2024-11-05 · HTTP+SSE", transport: "http+sse" },
];

/** How the console calls itself. */
export const CLIENT_INFO = { name: "holdfast-console", version: "1" };
/** The name of the extension by which calls become tasks. */
export const TASKS = "io.modelcontextprotocol/tasks";

/** What the console can do for a server: a person answers what it asks. */
export function capabilitiesOf({ version, transport }: Era): Json {
  return {
    roots: {},
    sampling: {},
    // Its two modes have names from 2025-11-25 on.
    elicitation: version >= "2025-11-25" ? { form: {}, url: {} } : {},
    ...(transport === "stateless" && { extensions: { [TASKS]: {} } }),
  };
}
