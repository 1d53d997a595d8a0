/**
 * So many requests a minute for each user, on Node: `hono-rate-limiter` as middleware in front of the router,
 * behind middleware that has found out who calls. With several processes it takes a store that they share.
 * @module
 */
import process from "node:process";
import { Hono } from "hono";
import { rateLimiter } from "hono-rate-limiter";
import { apiKey, type OAuthAuthInfo, oauthResource } from "../../../src/auth/index.ts";
import { createLocalMcp, serve } from "../../../src/local/node.ts";
import { modernHandler } from "../../../src/modern/index.ts";
import { createServer } from "../server.ts";
import { tooMany } from "./too-many.ts";

interface Variables {
  caller: { principal: string; authInfo: OAuthAuthInfo };
}

const { env } = process;
const port = Number(env["PORT"] ?? 8787);
const limit = Number(env["LIMIT"] ?? 100);
const windowMs = 60_000;

const auth = oauthResource({
  resource: env["RESOURCE"] ?? `http://127.0.0.1:${port}/mcp`,
  verify: apiKey({
    keys: [
      { key: env["KEY_OF_ADA"] ?? "", subject: "ada" },
      { key: env["KEY_OF_BEN"] ?? "", subject: "ben" },
    ],
  }),
});

const mcp = createLocalMcp<unknown, { Variables: Variables }>({
  createServer,
  database: env["DATABASE"],
  modern: modernHandler({ createServer }),
  authorize: (_request, c) => c.get("caller"),
});

const app = new Hono<{ Variables: Variables }>();
app.use("/mcp", async (c, next) => {
  const judged = await auth.authorize(c.req.raw);
  if (judged instanceof Response) return judged;
  c.set("caller", judged);
  return next();
});
app.use(
  "/mcp",
  rateLimiter<{ Variables: Variables }>({
    windowMs,
    limit,
    keyGenerator: (c) => c.get("caller").principal,
    handler: () => tooMany(windowMs / 1000),
  }),
);
app.route("/", mcp.router);

const server = await serve({ fetch: app.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
