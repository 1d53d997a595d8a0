/**
 * The stateless era of the test server, by variable:
 * - `TEST_MODERN=off`: it is not served.
 * - `TEST_SDK=wayward 2`: its server is the wayward one.
 * - `TEST_MAX_LISTENERS`, `TEST_MAX_LISTENERS_EACH`: most `subscriptions/listen` streams, in all and of one principal.
 * - `TEST_TASKS=off`: there are no tasks. `TEST_TASK_TTL_MS`, `TEST_TASK_AFTER_MS`, `TEST_MAX_TASKS`, `TEST_MAX_TASKS_EACH`,
 *   `TEST_MAX_ATTEMPTS`: their bounds.
 * - `TEST_TOPIC=on`: the header `x-topic` names the request's topic, `all` where there is none.
 * @module
 */
import type { ModernHandler } from "../../src/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { testTasks } from "./test-tasks.ts";
import { createTestServer } from "./test-server.ts";
import { createWaywardV2 } from "./wayward.ts";

export function testModern<Env>(variables: Readonly<Record<string, unknown>>): {
  modern: ModernHandler<Env> | undefined;
  topic?: (request: Request) => string;
} {
  const maxListeners = Number(variables["TEST_MAX_LISTENERS"] ?? 1024);
  const maxListenersPerPrincipal = Number(variables["TEST_MAX_LISTENERS_EACH"] ?? 128);
  const modern = (): ModernHandler<Env> =>
    modernHandler<Env>({
      createServer: variables["TEST_SDK"] === "wayward 2" ? () => createWaywardV2() : createTestServer,
      maxListeners,
      maxListenersPerPrincipal,
      ...(variables["TEST_TASKS"] === "off" ? {} : { tasks: testTasks(variables) }),
    });
  return {
    modern: variables["TEST_MODERN"] === "off" ? undefined : modern(),
    ...(variables["TEST_TOPIC"] === "on"
      ? { topic: (request: Request) => request.headers.get("x-topic") || "all" }
      : {}),
  };
}
