/** The JWT recipe, as it stands, against a real authorization server, with the SDKs' own OAuth clients. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { OAUTH_SDKS, type OAuthClient } from "../support/oauth-clients.ts";
import { type AuthorizationServer, signIn, startAuthorizationServer } from "../support/oidc.ts";
import { upTo } from "../support/messages.ts";
import { startNode } from "../support/node.ts";
import { eventually } from "../support/wait.ts";
import { freePort, startWorkerd, type TestServer } from "../support/workerd.ts";

const SCOPES = ["notes:read", "notes:write"];
const recipe = (file: string): string => new URL(`../../examples/auth/jwt/${file}`, import.meta.url).pathname;

let issuer: AuthorizationServer;
beforeAll(async () => {
  issuer = await startAuthorizationServer(SCOPES);
});
afterAll(() => issuer.close());

interface Running extends TestServer {
  /** All that it has stored. */
  stored(): Buffer[];
}
/** Behind the door of the recipe, tools that outlast a token. */
const SLOW = {
  node: new URL("slow-node.ts", import.meta.url).pathname,
  worker: new URL("../worker/slow-auth.ts", import.meta.url).pathname,
};
const HOSTS = [
  {
    host: "node",
    async start({ url }: AuthorizationServer, entry = recipe("node.ts")): Promise<Running> {
      const vars = { ISSUER: url, HOLDFAST_LOG_LEVEL: "debug" };
      const server = await startNode({ entry, vars });
      const folder = join(server.database, "..");
      return Object.assign(server, { stored: () => filesIn(folder) });
    },
  },
  {
    host: "workerd",
    async start({ url }: AuthorizationServer, entry = recipe("worker.ts")): Promise<Running> {
      const port = await freePort();
      const vars = {
        ISSUER: url,
        RESOURCE: `http://127.0.0.1:${port}/mcp`,
        HOLDFAST_LOG_LEVEL: "debug",
      };
      const server = await startWorkerd({ entry, port, vars });
      return Object.assign(server, { stored: () => filesIn(server.storage) });
    },
  },
];

function filesIn(folder: string): Buffer[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
}

/** Signs in where the client was sent, and tells it. */
async function finish(client: OAuthClient, user: string): Promise<void> {
  const { authorizationUrl } = client.wallet;
  if (authorizationUrl === undefined) throw new Error("the client was sent nowhere");
  client.wallet.authorizationUrl = undefined;
  const { code, iss } = await signIn(authorizationUrl, user);
  await client.finish(code, iss);
}

/** A client whose user has signed in. */
async function signedIn(
  make: () => OAuthClient,
  user: string,
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
): Promise<OAuthClient> {
  const client = make();
  onTestFinished(() => client.close());
  await expect(client.connect()).rejects.toThrow(/Unauthorized/);
  await finish(client, user);
  await client.connect();
  return client;
}

// Each test has a client of its own: they run beside each other, and wait for tokens to run out at the same time.
describe.concurrent.each(HOSTS)("on $host", ({ start }) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(issuer);
  });
  afterAll(() => server.close());

  describe.each(OAUTH_SDKS)("$name", (sdk) => {
    const make = (): OAuthClient => sdk.client(server.url);

    test("discovers, registers, signs in with PKCE, and calls", async ({ onTestFinished }) => {
      const client = make();
      onTestFinished(() => client.close());
      await expect(client.connect()).rejects.toThrow(/Unauthorized/);
      const url = client.wallet.authorizationUrl;
      expect(url?.origin).toBe(issuer.url);
      expect(Object.fromEntries(url?.searchParams ?? [])).toMatchObject({
        resource: `${server.url}/mcp`,
        scope: expect.stringContaining("notes:read"),
        code_challenge_method: "S256",
      });
      // What the challenge asked for, not all there is.
      expect(url?.searchParams.get("scope")).not.toContain("notes:write");
      await finish(client, "ada");
      await client.connect();
      expect(JSON.parse((await client.call("whoami")) ?? "")).toMatchObject({
        user: "ada",
        scopes: ["notes:read"],
      });
      expect(client.wallet.registrations).toBe(1);
      expect(client.sessionId === undefined).toBe(sdk.era === "modern");
    });

    test("a token that is no good any more is refreshed, and the call goes on", async (context) => {
      const client = await signedIn(make, "ada", context);
      const { tokens } = client.wallet;
      if (tokens === undefined) throw new Error("no tokens");
      const session = client.sessionId;
      client.wallet.tokens = { ...tokens, access_token: `${tokens.access_token.slice(0, -8)}AAAAAAAA` };
      expect(JSON.parse((await client.call("whoami")) ?? "")).toMatchObject({ user: "ada" });
      expect(client.wallet.tokens.access_token).not.toBe(tokens.access_token);
      expect(client.wallet.authorizationUrl).toBeUndefined();
      expect(client.sessionId).toBe(session);
    });

    test("a tool that needs more sends the user to consent to more, and then runs, in the same session", async (context) => {
      const client = await signedIn(make, "ada", context);
      const session = client.sessionId;
      const note = crypto.randomUUID();
      client.wallet.readyToStepUp();
      await expect(client.call("add_note", { text: note })).rejects.toThrow();
      const scope = client.wallet.authorizationUrl?.searchParams.get("scope")?.split(" ");
      expect(scope).toEqual(expect.arrayContaining(["notes:read", "notes:write"]));
      expect(await client.call("list_notes")).not.toContain(note);
      await finish(client, "ada");
      expect(await client.call("add_note", { text: note })).toBe("added");
      expect(await client.call("list_notes")).toContain(note);
      expect(client.sessionId).toBe(session);
    });

    test("of a token nothing is in the log or in the store", async (context) => {
      const client = await signedIn(make, "carol", context);
      await client.call("whoami");
      const { access_token = "", refresh_token = "" } = client.wallet.tokens ?? {};
      const secrets = [...access_token.split(".").slice(1), refresh_token];
      expect(secrets).toHaveLength(3);
      for (const secret of secrets) {
        expect(server.lines.filter((line) => line.includes(secret))).toEqual([]);
        expect(server.stored().some((bytes) => bytes.includes(secret))).toBe(false);
      }
      if (sdk.era === "session") expect(server.stored().some((bytes) => bytes.includes("carol"))).toBe(true);
    });
  });
});

/** Why the session's connections ended, so far. */
function endsOf(server: TestServer, session: string | undefined): unknown[] {
  const events = server.events();
  const opened = events.filter(({ type, session: of }) => type === "connection.setup" && of === session);
  const own = new Set(opened.map(({ connectionId }) => connectionId));
  return events
    .filter(({ type, connectionId }) => type === "connection.closed" && own.has(connectionId))
    .map(({ reason }) => reason);
}

describe.concurrent.each(HOSTS)("on $host, with tokens that last for seconds", ({ host, start }) => {
  let shortLived: AuthorizationServer;
  let server: Running;
  beforeAll(async () => {
    shortLived = await startAuthorizationServer(SCOPES, 1);
    server = await start(shortLived);
  });
  afterAll(async () => {
    await server.close();
    await shortLived.close();
  });

  test.for(OAUTH_SDKS.filter(({ era }) => era === "session"))(
    "$name: its stream ends with its token, and goes on with the next, of which its user sees nothing",
    async (sdk, context) => {
      const client = await signedIn(() => sdk.client(server.url), "ada", context);
      const session = client.sessionId?.slice(0, 8);
      const opened = (): number =>
        server.events().filter(({ type, session: of }) => type === "connection.setup" && of === session)
          .length;
      const first = client.wallet.tokens?.access_token;
      await eventually(() => expect(opened()).toBeGreaterThan(1), 20_000);
      expect(endsOf(server, session)).toContain("expired");
      expect(client.wallet.tokens?.access_token).not.toBe(first);
      expect(client.wallet.authorizationUrl).toBeUndefined();
      expect(JSON.parse((await client.call("whoami")) ?? "")).toMatchObject({ user: "ada" });
      expect(client.sessionId?.slice(0, 8)).toBe(session);
    },
  );

  describe("a call that outlasts them", () => {
    let slow: Running;
    beforeAll(async () => {
      slow = await start(shortLived, SLOW[host === "node" ? "node" : "worker"]);
    });
    afterAll(() => slow.close());

    test.for(OAUTH_SDKS.filter(({ era }) => era === "session"))(
      "$name: is heard to its answer, each message once and in order",
      async (sdk, context) => {
        const client = await signedIn(() => sdk.client(slow.url), "ada", context);
        const to = 40;
        expect(await client.call("count", { to, everyMs: 400 })).toBe("counted");
        expect(client.notifications.map(({ params }) => (params as { data: number }).data)).toEqual(upTo(to));
        const ends = endsOf(slow, client.sessionId?.slice(0, 8));
        expect(ends.filter((reason) => reason === "expired").length).toBeGreaterThan(2);
        expect(client.wallet.authorizationUrl).toBeUndefined();
      },
    );
  });
});
