/** Tokens that are no JWTs: the issuer is asked, or a key is looked up; and several kinds at one door. */
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  apiKey,
  introspection,
  jwt,
  oauthResource,
  type OAuthResourceOptions,
  type Verifier,
} from "../../src/auth/index.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";

const RESOURCE = "https://mcp.example.com/mcp";
const soon = (): number => Math.floor(Date.now() / 1000) + 60;

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());
afterEach(() => {
  issuer.isDown = false;
});

/** The principal, or the status of the refusal with its challenge. */
async function judge(
  verify: Verifier | readonly Verifier[],
  token: string,
  more: Partial<OAuthResourceOptions> = {},
): Promise<unknown> {
  const { authorize } = oauthResource({ resource: RESOURCE, verify, ...more });
  const answer = await authorize(new Request(RESOURCE, { headers: { Authorization: `Bearer ${token}` } }));
  return answer instanceof Response
    ? [answer.status, answer.headers.get("www-authenticate")]
    : { ...answer.authInfo, principal: answer.principal };
}

const invalid = (why: string): unknown => [401, `Bearer error="invalid_token", error_description="${why}"`];

describe("introspection", () => {
  const verify = (): Verifier =>
    introspection({ endpoint: `${issuer.url}/introspect`, clientId: "me:and", clientSecret: "sëcret" });

  test("an active token for this resource is taken, with what is known of it", async () => {
    const exp = soon();
    const usual = { active: true, aud: RESOURCE, sub: "ada", client_id: "app", scope: "a b" };
    issuer.introspected.set("opaque", { ...usual, exp, tier: "gold" });
    expect(await judge(verify(), "opaque")).toMatchObject({
      principal: "ada",
      clientId: "app",
      scopes: ["a", "b"],
      expiresAt: exp,
      extra: { tier: "gold" },
    });
    expect(issuer.credentials.at(-1)).toBe(`Basic ${Buffer.from("me%3Aand:s%C3%ABcret").toString("base64")}`);
  });

  test.each([
    ["unknown", undefined, "the token is not active"],
    ["not active", { active: false, aud: RESOURCE, sub: "ada" }, "the token is not active"],
    ["active in words only", { active: "true", aud: RESOURCE, sub: "ada" }, "the token is not active"],
    [
      "for another resource",
      { active: true, aud: "https://other.example", sub: "ada" },
      "the token was issued for another resource",
    ],
    ["for nobody in particular", { active: true, sub: "ada" }, "the token was issued for another resource"],
    ["expired", { active: true, aud: [RESOURCE], sub: "ada", exp: 1 }, "the token has expired"],
    [
      "with an end that is no time",
      { active: true, aud: [RESOURCE], sub: "ada", exp: "never" },
      "the token has expired",
    ],
    [
      "not valid yet",
      { active: true, aud: [RESOURCE], sub: "ada", nbf: 9_999_999_999 },
      "the token is not valid yet",
    ],
    [
      "bound to a key",
      { active: true, aud: [RESOURCE], sub: "ada", cnf: {} },
      "the token is bound to a key; bearer tokens are taken here",
    ],
    ["without a subject", { active: true, aud: [RESOURCE] }, "the token names no subject"],
  ])("one that is %s is refused", async (what, answer, why) => {
    const token = what.replaceAll(" ", "-");
    if (answer !== undefined) issuer.introspected.set(token, answer);
    expect(await judge(verify(), token)).toEqual(invalid(why));
  });

  test("an issuer that is down is 503, and its operator hears of it", async () => {
    issuer.isDown = true;
    const told: unknown[] = [];
    expect(await judge(verify(), "opaque", { onError: (error) => told.push(error) })).toEqual([503, null]);
    expect(String(told)).toBe(`Error: ${issuer.url}/introspect answered 500`);
  });
});

describe("API keys", () => {
  const ADA = "k_ada_0123456789abcdef";
  const keys = [
    { key: "k_old_0123456789abcdef", subject: "old", expiresAt: 1 },
    { key: ADA, subject: "ada", scopes: ["read"] },
    { key: "k_ada_new_0123456789abcdef", subject: "ada" },
  ];

  test("speak for their owners", async () => {
    const verify = apiKey({ keys });
    expect(await judge(verify, ADA)).toMatchObject({ principal: "ada", clientId: "ada", scopes: ["read"] });
    expect(await judge(verify, "k_ada_new_0123456789abcdef")).toMatchObject({ principal: "ada", scopes: [] });
  });

  test.each(["k_ada_0123456789abcdeF", ADA.slice(0, -1), `${ADA}0`, "k_old_0123456789abcdef", "x"])(
    "%s is refused",
    async (token) => {
      expect(await judge(apiKey({ keys }), token)).toEqual(invalid("the token is unknown"));
    },
  );

  test("can be looked up by their hash", async () => {
    const stored = new Map([[createHash("sha256").update(ADA).digest("hex"), { subject: "ada" }]]);
    const verify = apiKey({ keys: (hash) => stored.get(hash) });
    expect(await judge(verify, ADA)).toMatchObject({ principal: "ada" });
    expect(await judge(verify, `${ADA}0`)).toEqual(invalid("the token is unknown"));
  });

  test("that cannot be looked up are 503, never taken", async () => {
    const told: unknown[] = [];
    const verify = apiKey({ keys: () => Promise.reject(new Error("no database")) });
    expect(await judge(verify, ADA, { onError: (error) => told.push(error) })).toEqual([503, null]);
    expect(String(told)).toBe("Error: no database");
  });

  test.each([
    ["too short", [{ key: "k_short", subject: "ada" }], /keys\[0\] must have at least 20 characters/],
    [
      "no bearer token",
      [{ key: "with spaces in it, and long", subject: "ada" }],
      /keys\[0\] is no bearer token/,
    ],
    ["twice there", [...keys, { key: ADA, subject: "bob" }], /keys holds a key twice/],
    ["nobody's", [{ key: ADA, subject: "" }], /keys\[0\] has no subject/],
    ["missing", [{ subject: "ada" } as never], /keys\[0\] is no bearer token/],
  ])("that are %s are refused where the server is built, and not shown", (_what, list, why) => {
    expect(() => apiKey({ keys: list })).toThrow(why);
    expect(() => apiKey({ keys: list })).not.toThrow(/k_short|spaces/);
  });
});

describe("several kinds of tokens at one door", () => {
  const KEY = "k_bob_0123456789abcdef";
  const both = (): Verifier[] => [
    apiKey({ keys: [{ key: KEY, subject: "bob" }] }),
    jwt({ issuer: issuer.url }),
  ];

  test("each is taken by its own verifier", async () => {
    expect(await judge(both(), KEY)).toMatchObject({ principal: "bob" });
    expect(await judge(both(), await issuer.token(RESOURCE))).toMatchObject({ principal: "ada" });
    expect(await judge(both(), "k_nobody_0123456789")).toEqual(
      invalid("the token is malformed, or its signature does not hold"),
    );
  });

  test("while one cannot tell, another's no is not the answer", async () => {
    const cannot: Verifier = () => Promise.reject(new Error("down"));
    for (const verify of [
      [cannot, () => undefined],
      [() => undefined, cannot],
      [...both(), cannot],
      [cannot, ...both()],
    ]) {
      expect(await judge(verify, "k_nobody_0123456789")).toEqual([503, null]);
    }
    expect(await judge([cannot, ...both()], KEY)).toMatchObject({ principal: "bob" });
  });
});

describe("the principal", () => {
  const verify: Verifier = () => ({ subject: "ada", scopes: [], claims: { org: "acme" } });

  test("is what `subject` makes of the token", async () => {
    const subject: OAuthResourceOptions["subject"] = (token) =>
      `${String(token.claims["org"])}:${token.subject}`;
    expect(await judge(verify, "t", { subject })).toMatchObject({ principal: "acme:ada" });
  });

  test.each([undefined, "", null as never, 7 as never])("is never %s", async (principal) => {
    expect(await judge(verify, "t", { subject: () => principal })).toEqual(
      invalid("the token names no subject"),
    );
  });
});

describe("wrong options are refused where the server is built:", () => {
  const resource = RESOURCE;
  const url = "https://login.example.com";
  test.each<[string, () => unknown, RegExp]>([
    ["no issuer and no verifier", () => oauthResource({ resource }), /needs issuer, or verify/],
    ["no verifier in the list", () => oauthResource({ resource, verify: [] }), /at least one verifier/],
    [
      "a resource that is no URL",
      () => oauthResource({ resource: "/mcp", issuer: url }),
      /resource must be an absolute URL/,
    ],
    [
      "a resource over plain http",
      () => oauthResource({ resource: "http://mcp.example.com/mcp", issuer: url }),
      /resource must be an https URL/,
    ],
    [
      "a resource with a fragment",
      () => oauthResource({ resource: `${RESOURCE}#x`, issuer: url }),
      /no fragment/,
    ],
    [
      "an issuer over plain http",
      () => oauthResource({ resource, issuer: "http://login.example.com" }),
      /issuer must be an https URL/,
    ],
    [
      "an issuer that looks like localhost",
      () => oauthResource({ resource, issuer: "http://127.0.0.1.example.com" }),
      /issuer must be an https URL/,
    ],
    [
      "a scope with a space",
      () => oauthResource({ resource, issuer: url, requiredScopes: ["a b"] }),
      /a b is no OAuth scope/,
    ],
    ["a secret's algorithm", () => jwt({ issuer: url, algorithms: ["HS256"] }), /and not HS256/],
    ["the algorithm none", () => jwt({ issuer: url, algorithms: ["none"] }), /and not none/],
    ["no algorithm", () => jwt({ issuer: url, algorithms: [] }), /and not nothing/],
    [
      "a skew of an hour",
      () => jwt({ issuer: url, clockSkewS: 3600 }),
      /clockSkewS must be a number from 0 to 300/,
    ],
    ["no skew at all", () => jwt({ issuer: url, clockSkewS: Number.NaN }), /clockSkewS/],
    [
      "keys over plain http",
      () => jwt({ issuer: url, jwksUri: "http://login.example.com/jwks" }),
      /jwksUri must be an https URL/,
    ],
    [
      "no client for introspection",
      () => introspection({ endpoint: url, clientId: "", clientSecret: "" }),
      /clientId and clientSecret/,
    ],
  ])("%s", (_what, build, why) => {
    expect(build).toThrow(why);
  });
});

test("a hook for errors that throws changes nothing", async () => {
  const onError = vi.fn(() => {
    throw new Error("the hook");
  });
  expect(await judge(() => Promise.reject(new Error("down")), "t", { onError })).toEqual([503, null]);
  expect(onError).toHaveBeenCalledOnce();
});
