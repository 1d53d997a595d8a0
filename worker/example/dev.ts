/**
 * The example as `npm start` serves it: with the console, to which the landing page leads, and with a way to start the server anew
 * from there. A Worker of its own: what is deployed has none of it, whatever its variables say.
 * @module
 */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { consolePage } from "../../src/console/index.ts";
import { createMcpWorker, optionsFromEnv } from "../cloudflare.ts";
import { adminByToken } from "./admin.ts";
import { type Env, exampleOptions } from "./options.ts";

const variables: Record<string, unknown> = { ...env };
const { basePath = "" } = optionsFromEnv(variables);
/** Where `scripts/start.ts` waits to be told to start the server anew. */
const supervisor = variables["HOLDFAST_DEV_SUPERVISOR"];
const RESTART = `${basePath}/test/restart`;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

const canRestart = typeof supervisor === "string" && supervisor !== "";
const admin = adminByToken<{ Bindings: Env; Variables: object }>(variables["HOLDFAST_DEV_ADMIN_TOKEN"]);
const mcp = createMcpWorker<Env>({
  ...exampleOptions(),
  admin,
  // Without an index there is nothing to list.
  sessions: admin !== undefined,
  console: consolePage(canRestart ? { restart: RESTART } : {}),
});

const app = new Hono<{ Bindings: Env }>();
// The landing page is at the mount.
if (basePath !== "") app.get("/", (c) => c.redirect(basePath));
/** By this `npm start` knows that it is its own server that answers. */
app.get(`${basePath}/test/started`, (c) => c.text(String(variables["HOLDFAST_DEV_ID"] ?? "")));
app.post(RESTART, async (c) => {
  // The header makes browsers ask first, and nobody answers them: no page of another origin can do this. The name is
  // checked for pages that have bound their own to this machine.
  const isOwn =
    c.req.header("x-holdfast-console") !== undefined && LOOPBACK.test(new URL(c.req.url).hostname);
  if (!isOwn || !canRestart) return c.text("Only the console may do this, on this machine.", 403);
  await fetch(supervisor, { method: "POST" });
  return c.text("The server starts anew.", 202);
});
app.route("/", mcp.router);

export const { McpSession, McpHub } = mcp;
export default app;
