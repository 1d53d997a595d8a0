/**
 * The pages between a client and its tokens: consent, then the upstream's sign-in. After the guides of
 * `@cloudflare/workers-oauth-provider` on consent pages and on signing in through another provider.
 * @module
 */
import {
  AuthorizationError,
  type ConsentDescription,
  type OAuthHelpers,
} from "@cloudflare/workers-oauth-provider";
import { Hono } from "hono";
import { html } from "hono/html";

/** What is known of a user, encrypted for the bearer of the token. */
export interface Props {
  readonly userId: string;
  readonly upstreamToken: string;
}

export interface SignInEnv {
  OAUTH_PROVIDER: OAuthHelpers;
  OAUTH_KV: KVNamespace;
  /** `https://github.com` and `https://api.github.com`, or what speaks like them. */
  UPSTREAM: string;
  UPSTREAM_API: string;
  UPSTREAM_CLIENT_ID: string;
  UPSTREAM_CLIENT_SECRET: string;
}

export const signIn: Hono<{ Bindings: SignInEnv }> = new Hono<{ Bindings: SignInEnv }>();

signIn.get("/authorize", async (c) => {
  const oauth = c.env.OAUTH_PROVIDER;
  const request = await oauth.parseAuthRequest(c.req.raw);
  const details = await oauth.describeConsent(request);
  const { handle, headers } = await oauth.beginConsent(request);
  headers.set("Content-Type", "text/html; charset=utf-8");
  return new Response(String(await page(details, handle)), { headers });
});

signIn.post("/authorize", async (c) => {
  const oauth = c.env.OAUTH_PROVIDER;
  const form = await c.req.raw.clone().formData();
  const handle = String(form.get("handle"));
  if (form.get("decision") !== "approve") {
    const { headers } = await oauth.denyConsent(c.req.raw, handle);
    return new Response(null, { status: 302, headers });
  }
  const scope = form.getAll("scope").map(String);
  const approved = await oauth.approveConsent(c.req.raw, handle, { scope });
  const { state, headers } = await oauth.beginUpstream(approved.request, { headers: approved.headers });
  const to = new URL("/login/oauth/authorize", c.env.UPSTREAM);
  to.searchParams.set("client_id", c.env.UPSTREAM_CLIENT_ID);
  to.searchParams.set("redirect_uri", new URL("/callback", c.req.url).href);
  to.searchParams.set("state", state);
  headers.set("Location", to.href);
  return new Response(null, { status: 302, headers });
});

signIn.get("/callback", async (c) => {
  const oauth = c.env.OAUTH_PROVIDER;
  const { request, headers } = await oauth.finishUpstream(c.req.raw);
  const { id, token } = await upstreamUser(c.env, c.req.query("code") ?? "");
  const props: Props = { userId: id, upstreamToken: token };
  const { redirectTo } = await oauth.completeAuthorization({
    request,
    userId: id,
    metadata: {},
    scope: request.scope,
    props,
  });
  headers.set("Location", redirectTo);
  return new Response(null, { status: 302, headers });
});

signIn.onError((error, c) => {
  if (!(error instanceof AuthorizationError)) throw error;
  // Sent back only where the client and its redirect URI were found good; shown here otherwise.
  return error.redirectTo === undefined ? c.text(error.description, 400) : c.redirect(error.redirectTo);
});

async function upstreamUser(env: SignInEnv, code: string): Promise<{ id: string; token: string }> {
  const exchanged = await fetch(new URL("/login/oauth/access_token", env.UPSTREAM), {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams({
      client_id: env.UPSTREAM_CLIENT_ID,
      client_secret: env.UPSTREAM_CLIENT_SECRET,
      code,
    }),
  });
  const { access_token: token } = await exchanged.json<{ access_token: string }>();
  const answer = await fetch(new URL("/user", env.UPSTREAM_API), {
    headers: { Authorization: `Bearer ${token}`, "User-Agent": "notes" },
  });
  if (!answer.ok) throw new Error(`the upstream answered ${answer.status}`);
  const { id } = await answer.json<{ id: number }>();
  return { id: String(id), token };
}

/** What comes from the client is escaped: anybody may register, under any name. */
function page(details: ConsentDescription, handle: string): ReturnType<typeof html> {
  const { clientName, redirectHost, redirectIsLoopback, scope } = details;
  return html`<!doctype html>
    <meta charset="utf-8" />
    <title>Authorize ${clientName}</title>
    <h1>Allow ${clientName} to use your notes?</h1>
    <p>
      Access will be sent to
      <strong>${redirectHost}</strong>${redirectIsLoopback ? ", on your computer" : ""}.
    </p>
    <form method="post" action="">
      <input type="hidden" name="handle" value="${handle}" />
      ${scope.map((one) => html`<label><input type="checkbox" name="scope" value="${one}" checked /> ${one}</label>`)}
      <button name="decision" value="approve">Allow</button>
      <button name="decision" value="deny">Deny</button>
    </form>`;
}
