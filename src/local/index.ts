/**
 * `holdfast/local`: the same MCP server in one process, on Node, Deno and Bun. `holdfast/node`,
 * `holdfast/deno` and `holdfast/bun` add the HTTP server of each.
 * @module
 */
export * from "../index.ts";
export { type LocalHost, localHost, type LocalHostOptions } from "./host.ts";
export { createLocalMcp, type LocalMcp, type LocalMcpOptions } from "./mcp.ts";
export { DatabaseError, type DatabaseProblem } from "./sqlite.ts";
