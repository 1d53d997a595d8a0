/**
 * An authorization server as people run them, `oidc-provider`, on loopback: discovery, registration, PKCE,
 * JWT access tokens for the resource that was asked for, refresh tokens. And the browser of a user who signs
 * in and consents.
 * @module
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";
import { exportJWK, generateKeyPair } from "jose";

export interface AuthorizationServer {
  readonly url: string;
  /** Requests that it had, as `METHOD /path`. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** What is used of the package, which has no types. */
type Provider = new (
  issuer: string,
  configuration: object,
) => { callback(): (request: object, response: object) => void };

/**
 * @param scopes what every resource here knows of scopes
 * @param lifetimeS of its access tokens, in seconds
 */
export async function startAuthorizationServer(
  scopes: readonly string[],
  lifetimeS = 600,
): Promise<AuthorizationServer> {
  const asked: string[] = [];
  let handle: ((request: object, response: object) => void) | undefined;
  const http = createServer(async (request, response) => {
    const [path] = request.url?.split("?") ?? [];
    asked.push(`${request.method} ${path}`);
    if (path === "/reg") {
      // The SDKs register for the scopes that they were asked for first, and this provider would hold them to
      // those; others take a registration for what a client is, and leave scopes to its user's consent.
      const { scope: _, ...registration } = JSON.parse(await readText(request)) as Record<string, unknown>;
      Object.assign(request, { body: registration });
    }
    handle?.(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const name = "oidc-provider";
  const { default: Provider } = (await import(name)) as { default: Provider };
  const provider = new Provider(url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "first" }] },
    cookies: { keys: ["loopback"] },
    scopes: ["openid", "offline_access", ...scopes],
    clientDefaults: { id_token_signed_response_alg: "RS256" },
    features: {
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx: unknown, resource: string) => ({
          scope: scopes.join(" "),
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: lifetimeS,
        }),
      },
    },
    issueRefreshToken: () => true,
    ttl: { Interaction: 600, Grant: 600, Session: 600, RefreshToken: 600 },
  });
  handle = provider.callback();
  return {
    url,
    asked,
    close: () =>
      new Promise((resolve) => {
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
}

/** The user's browser: follows the authorization URL, signs in as `user`, consents, and returns the code that the client's page is called with. */
export async function signIn(
  authorizationUrl: URL,
  user: string,
): Promise<{ code: string; iss: string | null }> {
  const back = authorizationUrl.searchParams.get("redirect_uri") ?? "";
  const cookies = new Map<string, string>();
  let next: string = authorizationUrl.href;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < 20; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response: Response = await fetch(next, {
      redirect: "manual",
      headers: { Cookie: cookie },
      ...(form && { method: "POST", body: form }),
    });
    form = undefined;
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location !== null) {
      await response.body?.cancel();
      const to = new URL(location, next);
      const { searchParams } = to;
      if (to.href.startsWith(back)) {
        const code = searchParams.get("code");
        if (code === null) throw new Error(`sign-in failed: ${to.search}`);
        return { code, iss: searchParams.get("iss") };
      }
      next = to.href;
      continue;
    }
    const page = await response.text();
    const filled = fill(page, user);
    if (filled === undefined) throw new Error(`no form at ${next}: ${response.status} ${page}`);
    form = filled.fields;
    next = new URL(filled.action, next).href;
  }
  throw new Error("sign-in goes round in circles");
}

/** The page's form as its user sends it: what is there already, a name and a password, the first button. */
function fill(page: string, user: string): { action: string; fields: URLSearchParams } | undefined {
  const action = /<form[^>]* action="([^"]*)"/.exec(page)?.[1];
  if (action === undefined) return undefined;
  const fields = new URLSearchParams();
  const attribute = (tag: string, name: string): string | undefined =>
    new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  for (const [tag] of page.matchAll(/<input\b[^>]*>/g)) {
    const name = attribute(tag, "name");
    if (name !== undefined) fields.append(name, attribute(tag, "value") ?? user);
  }
  const button = /<button\b[^>]*>/.exec(page)?.[0] ?? "";
  const name = attribute(button, "name");
  if (name !== undefined) fields.append(name, attribute(button, "value") ?? "");
  return { action, fields };
}
