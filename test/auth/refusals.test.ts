/** Which tokens are refused, and what their bearers are told (RFC 6750, RFC 9068, MCP 2026-07-28 authorization). */
import { createHmac } from "node:crypto";
import { exportSPKI, importJWK } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { jwt, oauthResource, type OAuthResource } from "../../src/auth/index.ts";
import { type Issuer, startIssuer } from "../support/issuer.ts";

const RESOURCE = "https://mcp.example.com/mcp";
const METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
const HOUR = 3600;

let issuer: Issuer;
let auth: OAuthResource;
let told: unknown[];
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());
beforeEach(() => {
  told = [];
  auth = oauthResource({
    resource: RESOURCE,
    issuer: issuer.url,
    requiredScopes: ["notes:read"],
    onError: (error) => told.push(error),
  });
});
afterEach(() => {
  issuer.isDown = false;
  vi.useRealTimers();
});

/** Only dates are faked: what waits for the issuer goes on. */
const later = (ms: number): void => {
  const at = Date.now() + ms;
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["Date"], now: at });
};

const ask = (authorization?: string, url = RESOURCE): ReturnType<OAuthResource["authorize"]> =>
  auth.authorize(new Request(url, { method: "POST", headers: authorization ? { authorization } : {} }));
const bearer = (token: string): ReturnType<OAuthResource["authorize"]> => ask(`Bearer ${token}`);

async function refusal(
  answered: ReturnType<OAuthResource["authorize"]>,
): Promise<{ status: number; challenge: string | null; body: string }> {
  const answer = await answered;
  if (!(answer instanceof Response)) throw new Error(`admitted: ${JSON.stringify(answer)}`);
  const { status, headers } = answer;
  return { status, challenge: headers.get("www-authenticate"), body: await answer.text() };
}

const INVALID =
  /^Bearer error="invalid_token", error_description="[^"]+", scope="notes:read", resource_metadata="(.+)"$/;

async function expectInvalid(token: string, why: RegExp): Promise<void> {
  const { status, challenge, body } = await refusal(bearer(token));
  expect(status).toBe(401);
  expect(INVALID.exec(challenge ?? "")?.[1]).toBe(METADATA);
  expect(challenge).toMatch(why);
  expect(JSON.parse(body)).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 } });
  // Not a word of what the token says.
  for (const part of token.split(".")) if (part.length > 8) expect(challenge + body).not.toContain(part);
}

describe("a good token", () => {
  test("gives the principal and the SDK's authInfo", async () => {
    const exp = Math.floor(Date.now() / 1000) + HOUR;
    const token = await issuer.token(RESOURCE, { exp, scope: "notes:read notes:write", tenant: "blue" });
    expect(await bearer(token)).toEqual({
      principal: "ada",
      authInfo: {
        token,
        clientId: "app",
        scopes: ["notes:read", "notes:write"],
        expiresAt: exp + 5,
        resource: new URL(RESOURCE),
        resourceMetadataUrl: METADATA,
        extra: expect.objectContaining({ tenant: "blue", sub: "ada" }),
      },
    });
  });

  test.each([
    ["RS256", {}],
    ["PS256", {}],
    ["EdDSA", {}],
  ])("is taken where it is signed with %s", async (alg) => {
    await issuer.rotate(alg);
    const fresh = oauthResource({ resource: RESOURCE, issuer: issuer.url });
    const token = await issuer.token(RESOURCE);
    const request = new Request(RESOURCE, { headers: { Authorization: `Bearer ${token}` } });
    expect(await fresh.authorize(request)).toMatchObject({ principal: "ada" });
  });

  test.each([
    ["a slash at the end of the audience", { aud: `${RESOURCE}/` }, {}],
    ["several audiences", { aud: ["https://other.example", RESOURCE] }, {}],
    ["`typ` JWT", {}, { typ: "JWT" }],
    ["`typ` in full", {}, { typ: "application/AT+JWT" }],
    ["no `typ`", {}, { typ: undefined }],
    ["scopes as Entra writes them", { scope: undefined, scp: "notes:read" }, {}],
    ["scopes as Okta writes them", { scope: undefined, scp: ["notes:read"] }, {}],
    ["a clock that is 3 s ahead", { nbf: Math.floor(Date.now() / 1000) + 3 }, {}],
  ])("may have %s", async (_what, claims, header) => {
    expect(await bearer(await issuer.token(RESOURCE, claims, header as object))).toMatchObject({
      principal: "ada",
    });
  });

  test("is presented in any case of the scheme", async () => {
    expect(await ask(`bearer ${await issuer.token(RESOURCE)}`)).toMatchObject({ principal: "ada" });
  });
});

describe("refused with 401:", () => {
  const past = (): number => Math.floor(Date.now() / 1000) - 60;
  test.each([
    ["another audience", { aud: "https://other.example/mcp" }, {}, /claim aud/],
    ["an audience that begins like this one", { aud: `${RESOURCE}/more` }, {}, /claim aud/],
    ["no audience", { aud: undefined }, {}, /claim aud/],
    ["another issuer", { iss: "https://evil.example" }, {}, /claim iss/],
    ["no issuer", { iss: undefined }, {}, /claim iss/],
    ["expired", { exp: past() }, {}, /expired/],
    ["without an end", { exp: undefined }, {}, /claim exp/],
    ["not valid yet", { nbf: past() + 120 }, {}, /claim nbf/],
    ["the type of a logout token", {}, { typ: "logout+jwt" }, /another type/],
    ["the type of a DPoP proof", {}, { typ: "dpop+jwt" }, /another type/],
    ["an unknown key", {}, { kid: "nobody's" }, /unknown key/],
    ["no subject", { sub: undefined }, {}, /no subject/],
    ["an empty subject", { sub: "" }, {}, /no subject/],
    ["a subject that is no text", { sub: 7 as never }, {}, /no subject/],
    ["bound to a key", { cnf: { jkt: "x" } }, {}, /bound to a key/],
    ["a critical extension that nobody knows", {}, { crit: ["x"], x: 1 }, /malformed/],
  ])("%s", async (_what, claims, header, why) => {
    if ("crit" in header) return expectInvalid(critical(await issuer.token(RESOURCE, claims)), why);
    return expectInvalid(await issuer.token(RESOURCE, claims, header as object), why);
  });

  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = (): object => ({
    iss: issuer.url,
    aud: RESOURCE,
    sub: "ada",
    exp: past() + HOUR,
    scope: "notes:read",
  });
  const critical = (token: string): string => {
    const [, payload, signature] = token.split(".");
    return [
      part({ alg: "ES256", kid: issuer.jwks.keys[0]?.kid, crit: ["x"], x: 1 }),
      payload,
      signature,
    ].join(".");
  };

  test("`alg` none, with and without a signature", async () => {
    for (const alg of ["none", "None", "NONE"]) {
      await expectInvalid(`${part({ alg })}.${part(claims())}.`, /malformed/);
      await expectInvalid(`${part({ alg })}.${part(claims())}.AAAA`, /malformed/);
    }
  });

  test("HS256 with the public key for a secret", async () => {
    await issuer.rotate("RS256");
    const jwk = issuer.jwks.keys.at(-1);
    if (jwk === undefined) throw new Error("no key");
    const pem = await exportSPKI((await importJWK({ ...jwk, ext: true }, "RS256")) as CryptoKey);
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), String(jwk.n)]) {
      const signed = `${part({ alg: "HS256", kid: jwk.kid, typ: "at+jwt" })}.${part(claims())}`;
      const signature = createHmac("sha256", secret).update(signed).digest("base64url");
      await expectInvalid(`${signed}.${signature}`, /malformed/);
    }
  });

  test("a key of the token's own, in its header", async () => {
    const own = await startIssuer();
    try {
      const [jwk] = own.jwks.keys;
      const header = { jwk, jku: `${own.url}/jwks`, kid: issuer.jwks.keys[0]?.kid };
      const token = await own.token(RESOURCE, { iss: issuer.url }, header as object);
      await expectInvalid(token, /malformed/);
      expect(own.asked).toEqual([]);
    } finally {
      await own.close();
    }
  });

  test("a signature, a payload, a whole that was touched", async () => {
    const token = await issuer.token(RESOURCE);
    const [head = "", , tail = ""] = token.split(".");
    const flipped = tail.startsWith("A") ? `B${tail.slice(1)}` : `A${tail.slice(1)}`;
    await expectInvalid(`${token.slice(0, -tail.length)}${flipped}`, /malformed/);
    await expectInvalid(`${head}.${part(claims())}.${tail}`, /malformed/);
    for (const text of ["x", "a.b.c", "a.b.c.d.e", "....", "=", "x".repeat(16_385)]) {
      await expectInvalid(text, /malformed/);
    }
  });

  test("an algorithm that this server has not named", async () => {
    auth = oauthResource({
      resource: RESOURCE,
      issuer: issuer.url,
      requiredScopes: ["notes:read"],
      verify: jwt({ issuer: issuer.url, algorithms: ["RS256"] }),
    });
    await issuer.rotate("ES256");
    await expectInvalid(await issuer.token(RESOURCE), /malformed/);
  });

  test("a type that this server has not named", async () => {
    auth = oauthResource({
      resource: RESOURCE,
      issuer: issuer.url,
      requiredScopes: ["notes:read"],
      verify: jwt({ issuer: issuer.url, types: ["at+jwt"] }),
    });
    expect(await bearer(await issuer.token(RESOURCE))).toMatchObject({ principal: "ada" });
    await expectInvalid(await issuer.token(RESOURCE, {}, { typ: "JWT" }), /another type/);
  });
});

describe("credentials that are no token", () => {
  test.each([
    ["none at all", undefined],
    ["another scheme", "Basic YWRhOng="],
    ["another scheme that looks like it", "Bearers abc"],
    ["DPoP, which is not taken", "DPoP abc"],
  ])("%s: 401, without an error code", async (_what, header) => {
    const { status, challenge } = await refusal(ask(header));
    expect(status).toBe(401);
    expect(challenge).toBe(`Bearer scope="notes:read", resource_metadata="${METADATA}"`);
  });

  test("a token in the query alone is none (MCP authorization, token requirements)", async () => {
    const token = await issuer.token(RESOURCE);
    const { status, challenge } = await refusal(ask(undefined, `${RESOURCE}?access_token=${token}`));
    expect(status).toBe(401);
    expect(challenge).toBe(`Bearer scope="notes:read", resource_metadata="${METADATA}"`);
  });

  test("a token in the query and in the header: 400", async () => {
    const token = await issuer.token(RESOURCE);
    const answer = await refusal(ask(`Bearer ${token}`, `${RESOURCE}?access_token=${token}`));
    expect(answer.status).toBe(400);
    expect(answer.challenge).toMatch(/^Bearer error="invalid_request"/);
  });

  test.each([
    ["nothing after the scheme", "Bearer"],
    ["two", "Bearer abc, Bearer def"],
    ["a space in it", "Bearer abc def"],
    ["characters that no token has", "Bearer a%b"],
  ])("%s: 401, malformed", async (_what, header) => {
    const { status, challenge } = await refusal(ask(header));
    expect(status).toBe(401);
    expect(challenge).toMatch(/error="invalid_token", error_description="the token is malformed"/);
  });
});

describe("scopes of the door", () => {
  test("403 names all that are needed, and where to get them", async () => {
    const answer = await refusal(bearer(await issuer.token(RESOURCE, { scope: "other notes:reader" })));
    expect(answer.status).toBe(403);
    expect(answer.challenge).toBe(
      `Bearer error="insufficient_scope", error_description="Insufficient scope", scope="notes:read", resource_metadata="${METADATA}"`,
    );
  });
});

describe("the issuer's keys", () => {
  test("are asked for once, and again for a key id that is not among them", async () => {
    await bearer(await issuer.token(RESOURCE));
    await bearer(await issuer.token(RESOURCE));
    const before = issuer.asked.filter((path) => path === "/jwks").length;
    await issuer.rotate();
    // Just fetched: whoever makes up key ids does not make us ask for each.
    await expectInvalid(await issuer.token(RESOURCE, {}, { kid: "made-up" }), /unknown key/);
    expect(issuer.asked.filter((path) => path === "/jwks")).toHaveLength(before);
    later(11_000);
    expect(await bearer(await issuer.token(RESOURCE))).toMatchObject({ principal: "ada" });
    expect(issuer.asked.filter((path) => path === "/jwks")).toHaveLength(before + 1);
  });

  test("go on while the issuer is down, for a day; a key that is not held is then 503, not 401", async () => {
    const exp = Math.floor(Date.now() / 1000) + 40 * HOUR;
    const known = await issuer.token(RESOURCE, { exp });
    expect(await bearer(known)).toMatchObject({ principal: "ada" });
    await issuer.rotate();
    const unknown = await issuer.token(RESOURCE, { exp });
    issuer.isDown = true;
    later(11_000);
    expect(await bearer(known)).toMatchObject({ principal: "ada" });
    for (let n = 0; n < 3; n++) {
      const { status, challenge, body } = await refusal(bearer(unknown));
      expect({ status, challenge }).toEqual({ status: 503, challenge: null });
      expect(body).toContain("try again");
    }
    expect(told.map(String)).toEqual(Array(3).fill(`Error: ${issuer.url}/jwks answered 500`));
    later(23 * HOUR * 1000);
    expect(await bearer(known)).toMatchObject({ principal: "ada" });
    later(2 * HOUR * 1000);
    expect((await refusal(bearer(known))).status).toBe(503);
    issuer.isDown = false;
    later(11_000);
    expect(await bearer(unknown)).toMatchObject({ principal: "ada" });
  });

  test("that were never had are 503, and are asked for once in a while only", async () => {
    issuer.isDown = true;
    const token = await issuer.token(RESOURCE);
    const before = issuer.asked.length;
    for (let n = 0; n < 5; n++) expect((await refusal(bearer(token))).status).toBe(503);
    // The places where metadata may be, each once.
    expect(issuer.asked.length - before).toBe(2);
    issuer.isDown = false;
    later(11_000);
    expect(await bearer(token)).toMatchObject({ principal: "ada" });
  });

  test("that were withdrawn are no longer taken", async () => {
    const token = await issuer.token(RESOURCE, { exp: Math.floor(Date.now() / 1000) + HOUR });
    expect(await bearer(token)).toMatchObject({ principal: "ada" });
    const withdrawn = issuer.jwks.keys.splice(0);
    await issuer.rotate();
    later(601_000);
    await expectInvalid(token, /unknown key/);
    issuer.jwks.keys.push(...withdrawn);
  });

  test("are not taken from metadata that names another issuer", async () => {
    const mixed = oauthResource({
      resource: RESOURCE,
      issuer: "https://login.example.com",
      fetch: async (url) => fetch(String(url).replace("https://login.example.com", issuer.url)),
    });
    const token = await issuer.token(RESOURCE, { iss: "https://login.example.com" });
    const request = new Request(RESOURCE, { headers: { Authorization: `Bearer ${token}` } });
    expect(((await mixed.authorize(request)) as Response).status).toBe(503);
  });
});
