/**
 * The server of every recipe here: notes, one list a user. Who calls is known to each tool, and what a tool
 * asks of a token beyond what the door asks is said where the tool is registered.
 * @module
 */
import { McpServer, requireScopes } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../../src/index.ts";

/** What every request needs, and what writing needs besides. */
export const READ = "notes:read";
export const WRITE = "notes:write";

const text = (value: string): { content: { type: "text"; text: string }[] } => ({
  content: [{ type: "text", text: value }],
});

/** A real server has a database. */
const notes = new Map<string, string[]>();

export function createServer(context: ServerContext): McpServer {
  // A session has one user for life; a request of 2026-07-28 has its own.
  const user = (context.era === "session" ? context.session.principal : context.principal) ?? "nobody";
  const server = new McpServer({ name: "notes", version: "1.0.0" });

  server.registerTool("whoami", { description: "Who is calling, and what for" }, (ctx) => {
    const { clientId, scopes } = ctx.http?.authInfo ?? {};
    return text(JSON.stringify({ user, clientId, scopes }));
  });

  server.registerTool("list_notes", { description: "Lists your notes" }, () =>
    text((notes.get(user) ?? []).join("\n")),
  );

  server.registerTool(
    "add_note",
    {
      description: "Adds a note",
      inputSchema: z.object({ text: z.string() }),
      // A token that lacks it is answered 403 with a challenge, and the client asks its user for more.
      scopeChallenge: requireScopes(READ, WRITE),
    },
    ({ text: note }) => {
      notes.set(user, [...(notes.get(user) ?? []), note]);
      return text("added");
    },
  );
  return server;
}
