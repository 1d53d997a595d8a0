/**
 * An app that has its users in better-auth already. A user who has signed in gets the token of the session from
 * it (`set-auth-token`, of its `bearer` plugin), and hands it to an MCP client; signing out, or revoking the
 * session, ends what the client may do with its next request.
 * @module
 */
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { bearer } from "better-auth/plugins";
import { Hono } from "hono";
import { oauthResource } from "../../../src/auth/index.ts";
import { createLocalMcp, serve } from "../../../src/local/node.ts";
import { modernHandler } from "../../../src/modern/index.ts";
import { createServer, READ, WRITE } from "../server.ts";

const { env } = process;
const port = Number(env["PORT"] ?? 8787);
const origin = env["ORIGIN"] ?? `http://127.0.0.1:${port}`;

const options = {
  baseURL: origin,
  secret: env["BETTER_AUTH_SECRET"],
  database: new DatabaseSync(env["USERS"] ?? ":memory:"),
  emailAndPassword: { enabled: true },
  // Only tokens that the app has signed are taken.
  plugins: [bearer({ requireSignature: true })],
  telemetry: { enabled: false },
};
const users = betterAuth(options);
await (await getMigrations(options)).runMigrations();

const auth = oauthResource({
  resource: `${origin}/mcp`,
  requiredScopes: [READ],
  // A session's token is good for this app alone, so there is no audience to look at.
  async verify(_token, { request }) {
    const authorization = request.headers.get("authorization") ?? "";
    const found = await users.api.getSession({ headers: new Headers({ authorization }) });
    if (found === null) return undefined;
    const { user, session } = found;
    return {
      subject: user.id,
      clientId: session.id,
      scopes: [READ, WRITE],
      expiresAt: Math.floor(session.expiresAt.getTime() / 1000),
      claims: { email: user.email },
    };
  },
});
const mcp = createLocalMcp({
  createServer,
  database: env["DATABASE"],
  modern: modernHandler({ createServer }),
  authorize: auth.authorize,
});

const app = new Hono();
app.on(["GET", "POST"], "/api/auth/*", (c) => users.handler(c.req.raw));
app.get("/", (c) => c.text("An app of one's own"));
app.route("/", mcp.router);

const server = await serve({ fetch: app.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
