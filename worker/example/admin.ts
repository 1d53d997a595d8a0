/** Whom the example lets see and end everybody's sessions: whoever has the token of `HOLDFAST_DEV_ADMIN_TOKEN`. @module */
import type { Env } from "hono";
import { sessionsAdmin } from "../../src/admin/index.ts";
import type { RouterOptions } from "../../src/router.ts";

/** The option `admin`; undefined, and so no such path, without a token. */
export function adminByToken<E extends Env = Env>(token: unknown): RouterOptions<E>["admin"] {
  if (typeof token !== "string" || token === "") return undefined;
  return sessionsAdmin<E>((request) =>
    request.headers.get("authorization") === `Bearer ${token}` ? { principal: "operator" } : undefined,
  );
}
