/** The recipes of docs/auth.md that need no issuer of their own, as they stand; `sdk-flow.test.ts` has the one that does. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type McpSession, openSession, post } from "../support/mcp.ts";
import { initialize, toolCall } from "../support/messages.ts";
import { startMiniflare } from "../support/miniflare.ts";
import { startNode } from "../support/node.ts";
import { OAUTH_SDKS, type OAuthClient } from "../support/oauth-clients.ts";
import { signIn } from "../support/oidc.ts";

const recipe = (file: string): string => new URL(`../../examples/auth/${file}`, import.meta.url).pathname;
const bearer = (token: string): { Authorization: string } => ({ Authorization: `Bearer ${token}` });
const whoami = async (session: McpSession): Promise<Record<string, unknown>> =>
  JSON.parse((await session.tool("whoami")) ?? "") as Record<string, unknown>;

interface Running {
  readonly url: string;
  close(): Promise<void>;
}
/** One server for the tests of the enclosing `describe`. */
function running(start: () => Promise<Running>): { readonly url: string } {
  let server: Running | undefined;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.close());
  return {
    get url() {
      return server?.url ?? "";
    },
  };
}

const KEY_OF_ADA = "k_ada_0123456789abcdef";
const KEY_OF_BEN = "k_ben_0123456789abcdef";

describe("API keys", () => {
  const hash = (key: string): string => createHash("sha256").update(key).digest("hex");
  const server = running(() =>
    startNode({
      entry: recipe("api-keys/node.ts"),
      vars: {
        API_KEYS: JSON.stringify({
          [hash(KEY_OF_ADA)]: { subject: "ada", scopes: ["notes:read", "notes:write"] },
          [hash(KEY_OF_BEN)]: { subject: "ben", scopes: ["notes:read"] },
          [hash("k_nothing_0123456789abc")]: { subject: "eve", scopes: [] },
        }),
      },
    }),
  );

  test("each speaks for its owner, whose session is nobody else's", async () => {
    const session = await openSession(server.url, { headers: bearer(KEY_OF_ADA) });
    expect(await whoami(session)).toEqual({
      user: "ada",
      clientId: "ada",
      scopes: ["notes:read", "notes:write"],
    });
    expect(await session.tool("add_note", { text: "milk" })).toBe("added");
    expect((await session.post(toolCall("list_notes"), bearer(KEY_OF_BEN))).status).toBe(404);
    const bens = await openSession(server.url, { headers: bearer(KEY_OF_BEN) });
    expect(await bens.tool("list_notes")).toBe("");
  });

  test("an unknown one, and none, are 401, with no word of a place to sign in", async () => {
    const unknown = await post(`${server.url}/mcp`, initialize(), bearer("k_eve_0123456789abcdef"));
    expect(unknown.status).toBe(401);
    expect(unknown.headers.get("www-authenticate")).toBe(
      'Bearer error="invalid_token", error_description="the token is unknown", scope="notes:read"',
    );
    const none = await post(`${server.url}/mcp`, initialize());
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, 'Bearer scope="notes:read"']);
    expect((await fetch(`${server.url}/.well-known/oauth-protected-resource`)).status).toBe(404);
  });

  test("one without the scope that every request needs is 403", async () => {
    const refused = await post(`${server.url}/mcp`, initialize(), bearer("k_nothing_0123456789abc"));
    expect(refused.status).toBe(403);
  });
});

describe.each([
  {
    host: "Workers",
    start: () =>
      startMiniflare({
        entry: recipe("rate-limit/worker.ts"),
        vars: (url) => ({ RESOURCE: `${url}/mcp`, KEY_OF_ADA, KEY_OF_BEN }),
        ratelimits: { RATE_LIMIT: { limit: 5, period: 60 } },
      }),
  },
  {
    host: "Node",
    start: () =>
      startNode({ entry: recipe("rate-limit/node.ts"), vars: { LIMIT: "5", KEY_OF_ADA, KEY_OF_BEN } }),
  },
])("a rate limit by principal, on $host", ({ start }) => {
  const server = running(start);

  test("who asks too often is told to wait; others are not, and neither is anybody charged for a stranger", async () => {
    const call = (token: string): Promise<Response> => post(`${server.url}/mcp`, initialize(), bearer(token));
    const statuses: number[] = [];
    // A window of the limit may end in between, once.
    for (let n = 0; n < 12; n++) statuses.push((await call(KEY_OF_ADA)).status);
    expect(statuses.slice(0, 5)).toEqual(Array(5).fill(200));
    expect(statuses).toContain(429);
    const limited = await call(KEY_OF_ADA);
    if (limited.status === 429) expect(limited.headers.get("retry-after")).toBe("60");
    for (let n = 0; n < 12; n++) expect((await call("k_eve_0123456789abcdef")).status).toBe(401);
    expect((await call(KEY_OF_BEN)).status).toBe(200);
  });
});

describe("better-auth, in an app that was there before", () => {
  const server = running(() =>
    startNode({
      entry: recipe("better-auth/node.ts"),
      vars: { BETTER_AUTH_SECRET: "a secret of at least thirty-two characters" },
    }),
  );

  const api = (path: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}/api/auth/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Origin: server.url, ...headers },
      body: JSON.stringify(body),
    });
  const signUp = async (name: string): Promise<{ id: string; token: string }> => {
    const email = `${name}-${crypto.randomUUID()}@example.com`;
    const answer = await api("sign-up/email", { name, email, password: "correct horse battery" });
    const { user } = (await answer.json()) as { user: { id: string } };
    const token = answer.headers.get("set-auth-token");
    if (token === null) throw new Error(`no token: ${answer.status}`);
    return { id: user.id, token };
  };

  test("its users are the principals, until they sign out", async () => {
    const ada = await signUp("ada");
    const session = await openSession(server.url, { headers: bearer(ada.token) });
    expect(await whoami(session)).toMatchObject({ user: ada.id, scopes: ["notes:read", "notes:write"] });
    const ben = await signUp("ben");
    expect((await session.post(toolCall("whoami"), bearer(ben.token))).status).toBe(404);

    expect((await api("sign-out", {}, bearer(ada.token))).status).toBe(200);
    const after = await session.post(toolCall("whoami"));
    expect([after.status, after.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer error="invalid_token", error_description="the token is unknown", scope="notes:read"',
    ]);
  });

  test("a token that the app has not signed is refused", async () => {
    const { token } = await signUp("eve");
    const [unsigned = ""] = token.split(".");
    for (const forged of [unsigned, `${unsigned}.AAAA`, "nobody"]) {
      expect((await post(`${server.url}/mcp`, initialize(), bearer(forged))).status).toBe(401);
    }
  });
});

describe("@cloudflare/workers-oauth-provider in front, with sign-in upstream", () => {
  /** GitHub, as far as the recipe knows it: everybody who comes is signed in as 42. */
  let github: Server;
  let upstream: string;
  beforeAll(async () => {
    github = createServer((request, response) => {
      const url = new URL(request.url ?? "", "http://github");
      if (url.pathname === "/login/oauth/authorize") {
        const to = new URL(url.searchParams.get("redirect_uri") ?? "");
        to.searchParams.set("state", url.searchParams.get("state") ?? "");
        to.searchParams.set("code", "upstream-code");
        return response.writeHead(302, { Location: to.href }).end();
      }
      const isUser = url.pathname === "/user";
      const isKnown = request.headers.authorization === "Bearer upstream-token";
      response.writeHead(isUser && !isKnown ? 401 : 200, { "Content-Type": "application/json" });
      return response.end(JSON.stringify(isUser ? { id: 42 } : { access_token: "upstream-token" }));
    });
    await new Promise<void>((resolve) => github.listen(0, "127.0.0.1", resolve));
    upstream = `http://127.0.0.1:${(github.address() as AddressInfo).port}`;
  });
  afterAll(() => void github.close());

  const server = running(() =>
    startMiniflare({
      entry: recipe("workers-oauth-provider/worker.ts"),
      vars: (url) => ({
        ORIGIN: url,
        UPSTREAM: upstream,
        UPSTREAM_API: upstream,
        UPSTREAM_CLIENT_ID: "notes",
        UPSTREAM_CLIENT_SECRET: "secret",
      }),
      kv: ["OAUTH_KV"],
    }),
  );

  const finish = async (client: OAuthClient): Promise<void> => {
    const { authorizationUrl } = client.wallet;
    if (authorizationUrl === undefined) throw new Error("the client was sent nowhere");
    const { code, iss } = await signIn(authorizationUrl, "ada");
    await client.finish(code, iss);
  };

  test.each(OAUTH_SDKS)("$name signs in, calls, and asks for more where a tool needs more", async (sdk) => {
    const client = sdk.client(server.url);
    onTestFinished(() => client.close());
    await expect(client.connect()).rejects.toThrow(/Unauthorized/);
    expect(client.wallet.authorizationUrl?.origin).toBe(server.url);
    await finish(client);
    await client.connect();
    const { user, scopes } = JSON.parse((await client.call("whoami")) ?? "") as Record<string, unknown>;
    expect({ user, scopes }).toEqual({ user: "42", scopes: expect.arrayContaining(["notes:read"]) });
    expect(scopes).not.toContain("notes:write");
    client.wallet.readyToStepUp();
    await expect(client.call("add_note", { text: "milk" })).rejects.toThrow();
    await finish(client);
    expect(await client.call("add_note", { text: "milk" })).toBe("added");
  });

  test("who has no token is told where to get one", async () => {
    const refused = await post(`${server.url}/mcp`, initialize());
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain(
      `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`,
    );
  });
});
