/**
 * A reading list that its user finds again: by whichever client, in whichever era, after a restart of everything.
 * @module
 */
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { type Authorization, type ServerContext, userState } from "../../src/index.ts";

/** What is kept for each user. */
interface Shape {
  readonly books: readonly string[];
}

/** Whoever holds one of these keys is that user. A server of yours asks an issuer instead: see docs/auth.md. */
const USERS: Readonly<Record<string, string>> = { "key-of-ann": "ann", "key-of-bob": "bob" };

/** Turns a key into a user; nobody else gets in. */
export function authorize(request: Request): Authorization | undefined {
  const key = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
  const principal = Object.hasOwn(USERS, key) ? USERS[key] : undefined;
  return principal === undefined ? undefined : { principal };
}

/** One server for every era: none of them holds the list. */
export function createServer(context: ServerContext): McpServer {
  const state = userState<Shape>(context);
  const server = new McpServer({ name: "reading-list", version: "1.0.0" });

  server.registerTool(
    "add",
    { description: "Puts a book on your list", inputSchema: z.object({ title: z.string() }) },
    async ({ title }) => {
      // One step: two clients of one user that add at once lose nothing.
      const books = await state?.update("books", (before = []) => [...before, title]);
      return { content: [{ type: "text", text: `${books?.length ?? 0} on your list` }] };
    },
  );

  server.registerTool("list", { description: "Your list" }, async () => {
    const books = (await state?.get("books")) ?? [];
    return { content: [{ type: "text", text: books.join("\n") || "nothing yet" }] };
  });
  return server;
}
