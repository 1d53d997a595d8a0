import { McpServer } from "@modelcontextprotocol/server";
import type { CreateServer } from "holdfast";

export const createServer: CreateServer = () => {
  const server = new McpServer({ name: "mine", version: "1.0.0" });
  server.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "Hello there" }] }));
  return server;
};
