/** Which calls of the test server are tasks, by variable; see `test-modern.ts`. @module */
import type { ModernExtension } from "../../src/modern/index.ts";
import { durableTasks } from "../../src/tasks/index.ts";
import { testTaskUseOf } from "./task-tools.ts";

export function testTasks(variables: Readonly<Record<string, unknown>>): ModernExtension {
  const number = (name: string, fallback: number): number => Number(variables[name] ?? fallback);
  return durableTasks({
    tool: testTaskUseOf,
    afterMs: number("TEST_TASK_AFTER_MS", 500),
    ttlMs: number("TEST_TASK_TTL_MS", 86_400_000),
    pollIntervalMs: 100,
    maxTasks: number("TEST_MAX_TASKS", 10_000),
    maxTasksPerPrincipal: number("TEST_MAX_TASKS_EACH", 1000),
    maxAttempts: number("TEST_MAX_ATTEMPTS", 20),
  });
}
