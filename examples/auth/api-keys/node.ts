/**
 * API keys, for machines and for clients that know no OAuth: `Authorization: Bearer <key>`.
 *
 * What is kept is the SHA-256 of each key, so that who reads the table cannot call.
 * @module
 */
import process from "node:process";
import { apiKey, type ApiKeyOwner, oauthResource } from "../../../src/auth/index.ts";
import { createLocalMcp, serve } from "../../../src/local/node.ts";
import { modernHandler } from "../../../src/modern/index.ts";
import { createServer, READ } from "../server.ts";

const { env } = process;
const port = Number(env["PORT"] ?? 8787);

/** By the hash of the key; a real server has a table. */
const owners = new Map<string, ApiKeyOwner>(
  Object.entries(JSON.parse(env["API_KEYS"] ?? "{}") as Record<string, ApiKeyOwner>),
);

const auth = oauthResource({
  resource: env["RESOURCE"] ?? `http://127.0.0.1:${port}/mcp`,
  verify: apiKey({ keys: (sha256) => owners.get(sha256) }),
  requiredScopes: [READ],
});
const mcp = createLocalMcp({
  createServer,
  database: env["DATABASE"],
  modern: modernHandler({ createServer }),
  authorize: auth.authorize,
});

const server = await serve({ fetch: mcp.router.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
