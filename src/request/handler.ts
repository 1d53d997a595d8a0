/**
 * Requests of the session eras (2025-03-26 … 2025-11-25) that name no session. ChatGPT sends none on purpose
 * (modelcontextprotocol/ext-apps#647), claude.ai often (anthropics/claude-ai-mcp#975), `@ai-sdk/mcp` after a 404.
 * The specification lets a server do without session ids, so each such POST is served by a server of its own,
 * where it arrived: nothing is stored, and nothing is there to come back to.
 * @module
 */
import type { RequestHandler } from "../host.ts";
import { PROTOCOL_VERSION, single } from "../http/headers.ts";
import { empty, failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isRequest } from "../jsonrpc/messages.ts";
import { hasBatches, UNNAMED_VERSION } from "../jsonrpc/versions.ts";
import type { CreateServer } from "../session/server/factory.ts";
import { checkGiven, FUNCTION, needed } from "../setup.ts";
import { contextOf } from "./context.ts";
import { serveOnce } from "./serve-once.ts";

/** What the handler builds its servers by. */
export interface RequestOptions<Env = unknown> {
  /** The factory of the session eras: `context.era` is `"request"` here. */
  createServer: CreateServer<Env>;
}

/**
 * The handler that the router serves requests without a session id by.
 * @throws {TypeError} naming an option that is wrong
 */
export function requestHandler<Env = unknown>(options: RequestOptions<Env>): RequestHandler<Env> {
  checkGiven("requestHandler", options, { createServer: needed(FUNCTION) });
  const { createServer } = options;
  return {
    async handle(call) {
      const { payload, request, settings } = call;
      const version = single(request.headers.get(PROTOCOL_VERSION)) ?? UNNAMED_VERSION;
      if (payload.batch && !hasBatches(version)) return failed(failures.batchNotSupported(version));
      const requests = payload.messages.filter(isRequest);
      // Notifications and answers speak of something that came before, and nothing did.
      if (requests.length === 0) return empty(202);
      return serveOnce({
        request,
        requests,
        payload,
        caller: call.caller,
        since: call.since,
        endings: call.endings,
        version,
        settings,
        create: () => createServer(contextOf("request", call)),
      });
    },
  };
}
