/** The clients: what runs them, what they speak, and what they cannot. @module */
import { delimiter, join } from "node:path";
import { clientPath, type EnvName, envPath } from "./envs.ts";

/** What a client may lack. `session`: it opens one for each call, so that nothing lasts between two. */
export type Lack = "log" | "progress" | "elicitation" | "session";

export interface ClientDefinition {
  readonly name: string;
  readonly env: EnvName;
  readonly command: readonly string[];
  readonly lacks?: readonly Lack[];
  /** Over Streamable HTTP it chooses 2026-07-28. */
  readonly stateless?: boolean;
  /** It speaks HTTP+SSE too. */
  readonly sse?: boolean;
  /**
   * A line of its standard error that says it received a notification and refused the content: the
   * transport has done its part then.
   */
  readonly refusedLog?: RegExp;
}

const typescript = (file: string, ...args: readonly string[]): readonly string[] => [
  process.execPath,
  clientPath(file),
  ...args,
];
const python = (env: string, file: string, ...args: readonly string[]): readonly string[] => [
  envPath(`python-${env}/bin/python`),
  clientPath(`python/${file}`),
  ...args,
];
const java = (version: string): readonly string[] => [
  "java",
  "-Xmx256m",
  "-XX:TieredStopAtLevel=1",
  "-cp",
  [envPath(`java-${version}/classes`), join(envPath(`java-${version}/libs`), "*")].join(delimiter),
  "Client",
];
const JAVA = { lacks: [], sse: true, refusedLog: /Error handling notification/ } as const;

/** Not a program: requests as clients send them that keep no session id, made by `no-id.ts`. */
export const NO_ID = "without an id";

export const CLIENTS: readonly ClientDefinition[] = [
  { name: NO_ID, env: "none", command: [] },
  { name: "ts-2.4", stateless: true, env: "none", command: typescript("ts-v2.ts", "auto") },
  { name: "ts-2.4 sessions", env: "none", command: typescript("ts-v2.ts", "legacy"), sse: true },
  { name: "ts-1.32", env: "none", command: typescript("ts-v1.ts", "@modelcontextprotocol/sdk"), sse: true },
  { name: "ts-1.20", env: "none", command: typescript("ts-v1.ts", "sdk-1.20"), sse: true },
  {
    name: "python-2.3",
    stateless: true,
    env: "python-mcp-2.3",
    command: python("mcp-2.3", "mcp2.py", "auto"),
  },
  {
    name: "python-2.3 sessions",
    env: "python-mcp-2.3",
    command: python("mcp-2.3", "mcp2.py", "legacy"),
    sse: true,
  },
  { name: "python-1.30", env: "python-mcp-1.30", command: python("mcp-1.30", "mcp1.py"), sse: true },
  { name: "python-1.12", env: "python-mcp-1.12", command: python("mcp-1.12", "mcp1.py") },
  {
    name: "openai-agents-0.24",
    stateless: true,
    env: "python-openai-agents",
    command: python("openai-agents", "openai_agents.py"),
    lacks: ["progress", "elicitation"],
    sse: true,
  },
  { name: "go-sdk-1.8", stateless: true, env: "go", command: [envPath("go/gosdk"), "auto"] },
  { name: "go-sdk-1.8 sessions", env: "go", command: [envPath("go/gosdk"), "2025-11-25"], sse: true },
  { name: "go-sdk-1.3", env: "go-1.3", command: [envPath("go/gosdk-1.3.1"), "auto"] },
  { name: "mark3labs-1.2", stateless: true, env: "mark3labs", command: [envPath("go/mark3labs"), "auto"] },
  {
    name: "mark3labs-1.2 sessions",
    env: "mark3labs",
    command: [envPath("go/mark3labs"), "legacy"],
    sse: true,
  },
  { name: "rmcp-3.11", stateless: true, env: "rust", command: [envPath("rust/debug/rmcp-client"), "auto"] },
  { name: "rmcp-3.11 sessions", env: "rust", command: [envPath("rust/debug/rmcp-client"), "legacy"] },
  { name: "java-2.1", env: "java-2.1.0", command: java("2.1.0"), ...JAVA },
  { name: "java-2.0", env: "java-2.0.1", command: java("2.0.1"), ...JAVA },
  { name: "mcp-remote-0.15", env: "npm", command: typescript("mcp-remote.ts"), sse: true },
  {
    name: "ai-sdk-2.0",
    stateless: true,
    env: "npm",
    command: typescript("ai-sdk.ts", "auto"),
    lacks: ["log", "progress"],
  },
  {
    name: "ai-sdk-2.0 sessions",
    env: "npm",
    command: typescript("ai-sdk.ts", "legacy"),
    lacks: ["log", "progress"],
    sse: true,
  },
  {
    name: "inspector-cli-2.12",
    env: "npm",
    command: typescript("inspector-cli.ts"),
    lacks: ["log", "progress", "elicitation", "session"],
  },
];
