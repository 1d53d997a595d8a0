/** What operators look at: `/health` and `/info`. Neither creates anything. @module */
import type { Env } from "hono";
import { json } from "../http/respond.ts";
import { publicSettings } from "../options.ts";
import { type Admitted, type Site, versionsOf } from "./context.ts";

/** 200 for whoever asks: the process, or the isolate, answers. */
export function health(headers: Readonly<Record<string, string>> = {}): Response {
  return json(JSON.stringify({ status: "ok", timestamp: new Date().toISOString() }), headers);
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
