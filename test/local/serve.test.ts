/** The time-outs of `serve`. */
import { afterEach, describe, expect, test } from "vitest";
import { serve, type ServeOptions, type Server } from "../../src/local/node.ts";
import { servingOf } from "../../src/local/serve.ts";
import { rawRequest } from "../support/raw-http.ts";

const fetch = (): Response => new Response("ok");
let server: Server | undefined;
afterEach(() => server?.close());

describe("on Node", () => {
  test.each([
    ["65 s, unless told otherwise: proxies keep theirs for 60", {}, "timeout=65"],
    ["what is given", { keepAliveTimeoutMs: 7000 }, "timeout=7"],
  ])("idle connections are kept for %s", async (_, options, expected) => {
    server = await serve({ fetch, port: 0, ...options });
    const { headers } = await rawRequest(server.url, { headers: { Connection: "keep-alive" } });
    expect(headers["keep-alive"]).toBe(expected);
  });
});

test("defaults hold what is documented", () => {
  expect(servingOf({ fetch })).toMatchObject({ keepAliveMs: 65_000, writeMs: 120_000 });
});

test.each([
  ["keepAliveTimeoutMs", 999],
  ["keepAliveTimeoutMs", Number.NaN],
  ["writeTimeoutMs", -1],
  ["writeTimeoutMs", 1.5],
])("%s = %d is refused by name", async (name, value) => {
  await expect(serve({ fetch, port: 0, [name]: value } as ServeOptions)).rejects.toThrow(
    new RegExp(`${name} must be a whole number`),
  );
});
