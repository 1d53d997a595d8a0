/**
 * The stateless era of the test server, by variable:
 * - `TEST_MODERN=off`: it is not served.
 * - `TEST_MAX_LISTENERS`: most `subscriptions/listen` streams.
 * - `TEST_TOPIC=on`: the header `x-topic` names the request's topic, `all` where there is none.
 * @module
 */
import type { ModernHandler } from "../../src/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { createTestServer } from "./test-server.ts";

export function testModern<Env>(variables: Readonly<Record<string, unknown>>): {
  modern: ModernHandler<Env> | undefined;
  topic?: (request: Request) => string;
} {
  const maxListeners = Number(variables["TEST_MAX_LISTENERS"] ?? 1024);
  const modern = (): ModernHandler<Env> =>
    modernHandler<Env>({ createServer: createTestServer, maxListeners });
  return {
    modern: variables["TEST_MODERN"] === "off" ? undefined : modern(),
    ...(variables["TEST_TOPIC"] === "on"
      ? { topic: (request: Request) => request.headers.get("x-topic") || "all" }
      : {}),
  };
}
