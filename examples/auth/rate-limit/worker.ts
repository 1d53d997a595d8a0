/**
 * So many requests a minute for each user, on Workers: the platform's own rate limit, asked in `authorize`
 * once it is known who calls.
 *
 * wrangler.toml:
 *   [[ratelimits]]
 *   name = "RATE_LIMIT"
 *   namespace_id = "1001"
 *   simple = { limit = 100, period = 60 }
 * @module
 */
import { env } from "cloudflare:workers";
import { apiKey, oauthResource } from "../../../src/auth/index.ts";
import { modernHandler } from "../../../src/modern/index.ts";
import { createMcpWorker } from "../../../worker/cloudflare.ts";
import { createServer } from "../server.ts";
import { tooMany } from "./too-many.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  RATE_LIMIT: RateLimit;
  RESOURCE: string;
  KEY_OF_ADA: string;
  KEY_OF_BEN: string;
}

const { RESOURCE, KEY_OF_ADA, KEY_OF_BEN } = env as unknown as Env;
const auth = oauthResource({
  resource: RESOURCE,
  verify: apiKey({
    keys: [
      { key: KEY_OF_ADA, subject: "ada" },
      { key: KEY_OF_BEN, subject: "ben" },
    ],
  }),
});

const mcp = createMcpWorker<Env>({
  createServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  modern: modernHandler({ createServer }),
  async authorize(request, c) {
    const judged = await auth.authorize(request);
    if (judged instanceof Response) return judged;
    const { success } = await c.env.RATE_LIMIT.limit({ key: judged.principal });
    return success ? judged : tooMany(60);
  },
});
export const { McpSession, McpHub } = mcp;
export default mcp.router;
