/** Compiled, never run: servers of every SDK fit the factory as they are. */
import { McpServer as V1McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { Server as V1Server } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer as OldMcpServer } from "sdk-1.20/server/mcp.js";
import { McpServer as V2McpServer } from "@modelcontextprotocol/server";
import type { CreateServer } from "../../src/index.ts";

const info = { name: "types", version: "0" };
export const factories: CreateServer[] = [
  () => new V1McpServer(info),
  () => new V1Server(info),
  () => new OldMcpServer(info),
  () => new V2McpServer(info),
  async () => new V2McpServer(info),
];
