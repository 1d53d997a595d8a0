/** What operators look at: `/health` and `/info`. Neither creates anything. @module */
import type { Context, Env } from "hono";
import { messageOf } from "../log-text.ts";
import { UNKEPT } from "../http/headers.ts";
import { json } from "../http/respond.ts";
import { publicSettings } from "../options.ts";
import { SetupError } from "../setup.ts";
import { type Admitted, type Site, versionsOf } from "./context.ts";

/**
 * `ok`, or 503 and what is missing, as far as that can be seen without waking a session. Anybody may ask, so it says
 * what is missing and not how it is called here: the log does.
 */
export function health<E extends Env>({ host }: Site<E>, c: Context<E>): Response {
  const timestamp = new Date().toISOString();
  try {
    host.check?.(c.env);
    host.look?.();
    return json(JSON.stringify({ status: "ok", timestamp }), UNKEPT);
  } catch (error) {
    const message = error instanceof SetupError ? error.said : messageOf(error);
    return json(JSON.stringify({ status: "error", message, timestamp }), UNKEPT, 503);
  }
}

/** Name, version, protocol versions, endpoints as seen from here, and the settings in force; no secrets. */
export function info<E extends Env>(site: Site<E>, { c, headers }: Admitted<E>): Response {
  const mount = site.settings.publicUrl ?? c.req.path.replace(/\/info\/?$/, "");
  const body = {
    name: site.name,
    version: site.version,
    transports: ["streamable-http", "http+sse"],
    protocolVersions: versionsOf(site).toReversed(),
    endpoints: {
      mcp: `${mount}/mcp`,
      sse: `${mount}/sse`,
      messages: `${mount}/messages`,
      health: `${mount}/health`,
      info: `${mount}/info`,
    },
    settings: publicSettings(site.settings),
  };
  return json(JSON.stringify(body), headers);
}
