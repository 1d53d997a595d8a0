/** Where clients find out where to sign in: RFC 9728, and RFC 8414 for those that look for it here. */
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiKey, oauthResource, type OAuthResourceOptions } from "../../src/auth/index.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";

const ORIGIN = "https://mcp.example.com";
const WELL_KNOWN = "/.well-known/oauth-protected-resource";

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());

function app(path: string, more: Partial<OAuthResourceOptions> = {}): Hono {
  const auth = oauthResource({ resource: `${ORIGIN}${path}`, issuer: issuer.url, ...more });
  return new Hono().route("/", auth.metadata).get("*", (c) => c.text("the app's own", 418));
}

describe("protected resource metadata", () => {
  test.each([
    ["/mcp", WELL_KNOWN],
    ["/mcp", `${WELL_KNOWN}/mcp`],
    ["/mcp", `${WELL_KNOWN}/mcp/`],
    ["/api/v1/mcp", `${WELL_KNOWN}/api/v1/mcp`],
    ["/api/v1/mcp", WELL_KNOWN],
    ["/", WELL_KNOWN],
    ["", WELL_KNOWN],
  ])("of %s is at %s", async (path, at) => {
    const answer = await app(path, {
      requiredScopes: ["read"],
      scopesSupported: ["read", "write"],
      name: "Notes",
    }).request(at);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(await answer.json()).toEqual({
      resource: new URL(`${ORIGIN}${path}`).href,
      authorization_servers: [issuer.url],
      scopes_supported: ["read", "write"],
      bearer_methods_supported: ["header"],
      resource_name: "Notes",
    });
  });

  test("is where the challenge says", async () => {
    const auth = oauthResource({ resource: `${ORIGIN}/api/mcp`, issuer: issuer.url });
    const refused = (await auth.authorize(new Request(`${ORIGIN}/api/mcp`))) as Response;
    const url = /resource_metadata="(.+)"/.exec(refused.headers.get("www-authenticate") ?? "")?.[1] ?? "";
    expect(url).toBe(`${ORIGIN}${WELL_KNOWN}/api/mcp`);
    expect(auth.metadataUrl).toBe(url);
    expect((await auth.metadata.request(url)).status).toBe(200);
  });

  test("is not at other paths, which stay the app's own", async () => {
    for (const path of [`${WELL_KNOWN}/other`, `${WELL_KNOWN}/mcp/more`, "/.well-known/other", "/mcp"]) {
      expect((await app("/mcp").request(path)).status).toBe(418);
    }
  });

  test("answers HEAD, preflights, and no other method", async () => {
    const served = app("/mcp");
    const head = await served.request(WELL_KNOWN, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const preflight = await served.request(WELL_KNOWN, {
      method: "OPTIONS",
      headers: { Origin: "https://page.example", "Access-Control-Request-Headers": "mcp-protocol-version" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-headers")).toBe("mcp-protocol-version");
    const posted = await served.request(WELL_KNOWN, { method: "POST" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });
});

describe("the authorization server's metadata", () => {
  test.each(["/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp"])(
    "is passed on at %s",
    async (at) => {
      const answer = await app("/mcp").request(at);
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
      expect(await answer.json()).toMatchObject({
        issuer: issuer.url,
        token_endpoint: `${issuer.url}/token`,
      });
    },
  );

  test("is 503 while the issuer is down, which is asked once in a while only", async () => {
    const told: unknown[] = [];
    const served = app("/mcp", { onError: (error) => told.push(error) });
    issuer.isDown = true;
    const before = issuer.asked.length;
    for (let n = 0; n < 5; n++) {
      const answer = await served.request("/.well-known/oauth-authorization-server");
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    }
    issuer.isDown = false;
    expect(issuer.asked.length - before).toBe(2);
    expect(told).toHaveLength(5);
  });
});

test("without an issuer there is no place to sign in, and nobody is sent looking for one", async () => {
  const keys = [{ key: "k_ada_0123456789abcdef", subject: "ada" }];
  const auth = oauthResource({ resource: `${ORIGIN}/mcp`, verify: apiKey({ keys }) });
  expect(auth.metadataUrl).toBeUndefined();
  const refused = (await auth.authorize(new Request(`${ORIGIN}/mcp`))) as Response;
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  for (const name of ["oauth-protected-resource", "oauth-authorization-server"]) {
    expect((await auth.metadata.request(`/.well-known/${name}`)).status).toBe(404);
  }
});
