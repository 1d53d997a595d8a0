/** Misspelt options of everything that is not the server: sign-in, clients, pages, tasks, telemetry. */
import { describe, expect, test } from "vitest";
import { apiKey, introspection, jwt, oauthResource } from "../../src/auth/index.ts";
import { connect, recoveringFetch } from "../../src/client/index.ts";
import { consolePage } from "../../src/console/index.ts";
import { landingPage } from "../../src/landing/index.ts";
import { telemetry } from "../../src/otel/index.ts";
import { durableTasks, sessionTaskStore } from "../../src/tasks/index.ts";

type Call = (options: unknown) => unknown;
const issuer = "https://login.example.com";
const resource = "https://mcp.example.com/mcp";
const SECRET = "s3cret";
const client = { connect() {} };

const calls: Record<string, { call: Call; right: object }> = {
  oauthResource: { call: oauthResource as Call, right: { resource, issuer } },
  jwt: { call: jwt as Call, right: { issuer } },
  introspection: {
    call: introspection as Call,
    right: { endpoint: `${issuer}/introspect`, clientId: "mcp", clientSecret: SECRET },
  },
  apiKey: { call: apiKey as Call, right: { keys: [] } },
  recoveringFetch: { call: recoveringFetch as Call, right: {} },
  retry: { call: (retry) => recoveringFetch({ retry } as never), right: {} },
  landingPage: { call: landingPage as Call, right: {} },
  consolePage: { call: consolePage as Call, right: {} },
  telemetry: { call: telemetry as Call, right: {} },
  durableTasks: { call: durableTasks as Call, right: { tool: () => "never" } },
  sessionTaskStore: {
    call: (options) => sessionTaskStore({ state: { keys: () => [] } } as never, options as never),
    right: {},
  },
};

describe.each(Object.entries(calls))("%s", (name, { call, right }) => {
  test("takes what is right", () => void call(right));

  test("has no option that it does not know", () => {
    expect(() => call({ ...right, colour: SECRET })).toThrow(
      expect.objectContaining({ name: "TypeError", message: `${name} has no option colour` }),
    );
  });

  test("wants an object", () => {
    expect(() => call(SECRET)).toThrow(`${name} must be given an object of options, not a string`);
  });
});

test.each([
  ["oauthResource", "requiredScope", "requiredScopes"],
  ["oauthResource", "isuer", "issuer"],
  ["jwt", "jwksURI", "jwksUri"],
  ["jwt", "clockSkew", "clockSkewS"],
  ["introspection", "client_id", "clientId"],
  ["apiKey", "key", "keys"],
  ["recoveringFetch", "onReinitialised", "onReinitialized"],
  ["recoveringFetch", "retrys", "retry"],
  ["retry", "initialDelay", "initialDelayMs"],
  ["landingPage", "descripton", "description"],
  ["telemetry", "resident", "residents"],
  ["durableTasks", "ttl", "ttlMs"],
  ["sessionTaskStore", "maxTask", "maxTasks"],
])("%s: %s is taken for what was meant", (name, written, meant) => {
  const { call, right } = calls[name] ?? { call: () => {}, right: {} };
  expect(() => call({ ...right, [written]: 1 })).toThrow(
    `${name} has no option ${written}; did you mean ${meant}?`,
  );
});

test.each<[name: string, option: string, value: unknown, says: string]>([
  ["oauthResource", "resource", undefined, "oauthResource needs the option resource"],
  ["oauthResource", "requiredScopes", SECRET, "requiredScopes must be a list of strings, not a string"],
  ["oauthResource", "verify", SECRET, "verify must be a function, or a list of functions, not a string"],
  ["oauthResource", "issuer", new URL(issuer), "issuer must be a string, not an object"],
  ["jwt", "audience", 1, "audience must be a string, or a list of strings, not 1"],
  ["jwt", "algorithms", "RS256", "algorithms must be a list of strings, not a string"],
  ["introspection", "clientSecret", undefined, "introspection needs the option clientSecret: a string"],
  ["apiKey", "keys", { key: SECRET }, "keys must be a list of keys, or a function, not an object"],
  ["recoveringFetch", "fetch", SECRET, "fetch must be a function, not a string"],
  ["recoveringFetch", "retry", 5, "retry must be given an object of options, not 5"],
  ["telemetry", "tracer", "me", "tracer must be a tracer of OpenTelemetry, not a string"],
  ["durableTasks", "tool", "crawl", "tool must be a function, not a string"],
])("%s: %s, %o", (name, option, value, says) => {
  const { call, right } = calls[name] ?? { call: () => {}, right: {} };
  expect(() => call({ ...right, [option]: value })).toThrow(says);
  expect(() => call({ ...right, [option]: value })).not.toThrow(SECRET);
});

describe("connect, before anything is sent,", () => {
  const url = "http://127.0.0.1:1/mcp";
  test.each<[options: object, says: string]>([
    [{ client, timeout: 1 }, "connect has no option timeout; did you mean timeoutMs?"],
    [{ client, headers: {} }, "connect has no option headers"],
    [{ client: {} }, "client must be a client of the official SDK, not an object"],
    [{}, "connect needs the option client: a client of the official SDK"],
    [{ client, eras: ["modrn"] }, "eras must be a list of modern, session, legacy, not an array"],
    [{ client, terminate: "no" }, "terminate must be a boolean, not a string"],
    [{ client, retry: { attempt: 1 } }, "retry has no option attempt; did you mean attempts?"],
  ])("%o", async (options, says) => {
    await expect(connect(url, options as never)).rejects.toThrow(new TypeError(says));
  });
});
