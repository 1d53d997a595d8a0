/** What the test server adds to the example on every host, by variable. @module */
import type { Env } from "hono";
import {
  type Authorization,
  type HoldfastEvent,
  type HoldfastOptions,
  type KeyedRequest,
  openaiConversation,
  perPrincipal,
  type RouterOptions,
} from "../../src/index.ts";
import { sessionsAdmin } from "../../src/admin/index.ts";
import { consolePage } from "../../src/console/index.ts";

export interface TestOptions extends HoldfastOptions {
  name: string;
  version: string;
  sessionKey?: (request: Pick<KeyedRequest, "message">) => string | undefined;
  authorize?: (request: Request) => Authorization | undefined;
}

/** With `TEST_ADMIN=on`, `/admin` is served to `Authorization: Bearer operator`; over `broken` the hook throws. */
export function testAdmin<E extends Env>(
  variables: Readonly<Record<string, unknown>>,
): Pick<RouterOptions<E>, "admin"> {
  return variables["TEST_ADMIN"] === "on" ? { admin: sessionsAdmin<E>(operator) } : {};
}

function operator(request: Request): Authorization | undefined {
  const given = request.headers.get("authorization");
  if (given === "Bearer broken") throw new Error("the table of operators is away");
  return given === "Bearer operator" ? { principal: "operator" } : undefined;
}

/** What a token is said to be good for, by header: `X-Scopes`, `X-Expires-At` (seconds), `X-Resource`, `X-Padding` (characters). */
function authInfoIn(headers: Headers): Record<string, unknown> {
  const expiresAt = headers.get("x-expires-at");
  const resource = headers.get("x-resource");
  const padding = headers.get("x-padding");
  return {
    scopes: headers.get("x-scopes")?.split(" ") ?? [],
    ...(expiresAt !== null && { expiresAt: Number(expiresAt) }),
    ...(resource !== null && { resource: new URL(resource) }),
    ...(padding !== null && { extra: { padding: "é".repeat(Number(padding)) } }),
  };
}

/**
 * - `TEST_AUTH=on`: `Authorization: Bearer <subject>:<anything>` is asked for; the subject is the principal, but
 *   for `broken`, over which the hook throws.
 * - `TEST_SESSION_KEY`: `conversation` or `principal`: which session a request without an id belongs to.
 * - `TEST_RERUN=tool,tool`: tools that may run again after a restart.
 * - `TEST_EVENTS=on`: every event goes through the hook to standard output, in order; else the default logger prints.
 * - `HOLDFAST_CONSOLE=1`: the console is served, as by the example.
 */
export function testOptions(variables: Readonly<Record<string, unknown>>): TestOptions {
  const authorize = (request: Request): Authorization | undefined => {
    const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token === undefined) return undefined;
    const [principal = ""] = token.split(":");
    if (principal === "broken") throw new Error("the user table is away");
    return { principal, authInfo: { token, clientId: principal, ...authInfoIn(request.headers) } };
  };
  const onEvent = (event: HoldfastEvent): void => console.log(JSON.stringify(event));
  return {
    name: "holdfast-test",
    version: "0.0.0",
    ...(variables["TEST_AUTH"] === "on" ? { authorize } : {}),
    ...(variables["TEST_SESSION_KEY"] === "conversation" && { sessionKey: openaiConversation }),
    ...(variables["TEST_SESSION_KEY"] === "principal" && { sessionKey: perPrincipal }),
    rerun: (request) =>
      String(variables["TEST_RERUN"] ?? "")
        .split(",")
        .includes(String(request.params?.["name"])),
    ...(variables["TEST_EVENTS"] === "on" ? { onEvent } : {}),
    console: variables["HOLDFAST_CONSOLE"] === "1" ? consolePage() : undefined,
    onDisconnect: (disconnect) => console.log(JSON.stringify({ type: "test.disconnect", ...disconnect })),
  };
}
