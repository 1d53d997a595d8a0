import { McpServer } from "@modelcontextprotocol/server";
import type { CreateServer } from "holdfast";

export const createServer: CreateServer = () => new McpServer({ name: "mine", version: "1.0.0" });
