/** The trace of a call goes with it to where its session is, and to its next attempt after a restart. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { resumable } from "../support/interrupted.ts";
import { request, toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { ERAS, SECRET } from "../seen/script.ts";
import { serve } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const TRACEPARENT = "00-11111111111111111111111111111111-2222222222222222-01";

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { TEST_OTEL: "on", TEST_RERUN: "sleep", HOLDFAST_RETRY_MS: "300" });
  const spans = (name: string): Record<string, unknown>[] =>
    server.events().filter((event) => event.type === "test.span" && event["name"] === name);

  test("within its client's trace, by header or by `_meta`", async () => {
    const session = await openSession(server.url);
    await session.post(request("tools/list"), { traceparent: TRACEPARENT });
    await session.post(request("prompts/list", { _meta: { traceparent: TRACEPARENT } }));
    for (const name of ["tools/list", "prompts/list"]) {
      await eventually(() =>
        expect(spans(name)).toEqual([
          expect.objectContaining({ traceId: "1".repeat(32), parent: "2".repeat(16), linked: [] }),
        ]),
      );
    }
  });

  test("a call that runs again is in the same trace, and links to the attempt that was cut off", async () => {
    const session = await openSession(server.url);
    const call = { ...toolCall("sleep", { ms: 900 }) };
    call.params = { ...call.params, _meta: { traceparent: TRACEPARENT } };
    const lastEventId = await resumable(await session.stream(call));
    await server.restart();
    await (await session.get(lastEventId)).rest();
    await eventually(() => {
      expect(spans("tools/call sleep")).toEqual([
        expect.objectContaining({
          traceId: "1".repeat(32),
          parent: "2".repeat(16),
          linked: [expect.stringMatching(/^[0-9a-f]{16}$/)],
          attributes: expect.objectContaining({ "holdfast.attempts": 2 }),
        }),
      ]);
    });
  });

  describe("scripted", () => {
    // Where a runtime sees a client leave by a write alone, a keepalive is one.
    const scripted = serve(host, { TEST_OTEL: "on", TEST_AUTH: "on", HOLDFAST_KEEPALIVE_INTERVAL_MS: "300" });
    const isHanging = (tag: string): Promise<void> =>
      eventually(() =>
        expect(scripted.lines.some((line) => line.includes(`"test.hanging","tag":"${tag}"`))).toBe(true),
      );

    // One after the other: spans without a session are told apart by nothing but the time.
    test.each(ERAS)(
      "$name: exactly these spans, each with how its call ended",
      async ({ name: era, run, origin }) => {
        const from = scripted.events().length;
        const { told, session } = await run(scripted.url, isHanging);
        const own = (): Record<string, unknown>[] =>
          scripted
            .events()
            .slice(from)
            .filter(({ type }) => type === "test.span");
        await eventually(() => expect(own().length).toBeGreaterThanOrEqual(told.length));
        expect(
          own().map(({ name, attributes }) => [name, (attributes as Record<string, unknown>)["error.type"]]),
        ).toEqual(
          told.map(({ method, name, outcome }) => [
            name === undefined ? method : `${method} ${name}`,
            outcome === "ok" ? undefined : String(outcome).replace("-error", "_error"),
          ]),
        );
        for (const { attributes, linked } of own()) {
          expect([attributes, linked]).toEqual([
            expect.objectContaining({ "holdfast.era": origin["era"], "holdfast.attempts": 1 }),
            [],
          ]);
          expect((attributes as Record<string, unknown>)["mcp.session.id"]).toBe(session?.slice(0, 8));
        }
        const numbers = (name: string): { value: number; attributes: Record<string, unknown> }[] =>
          scripted
            .events()
            .slice(from)
            .filter((event) => event.type === "test.number" && event["name"] === name) as never;
        // Of each call one duration; of names, those that a server has answered under.
        await eventually(() =>
          expect(
            numbers("mcp.server.operation.duration").map(({ attributes: of }) => [
              of["mcp.method.name"],
              of["gen_ai.tool.name"],
              of["error.type"],
            ]),
          ).toEqual(
            told.map(({ method, name, outcome }) => [
              method === "no/such" ? "_OTHER" : method,
              method === "tools/call" ? (name === "echo" || name === "sleep" ? name : "_OTHER") : undefined,
              outcome === "ok" ? undefined : String(outcome).replace("-error", "_error"),
            ]),
          ),
        );
        // As many have ended as have begun; the one that was turned away is one refusal.
        const levels = numbers("holdfast.calls.active").map(({ value }) => value);
        const begun = levels.filter((value) => value === 1).length;
        // In 2026-07-28 a call is judged once it has begun, and a method that there is not is an HTTP error too.
        const isModern = era === "2026-07-28";
        expect(begun).toBe(told.filter(({ outcome }) => isModern || outcome !== "refused").length);
        expect(levels.reduce((sum, value) => sum + value, 0)).toBe(0);
        expect(
          numbers("holdfast.refusals").map(({ value, attributes: of }) => [
            value,
            of["http.response.status_code"],
          ]),
        ).toEqual((isModern ? [404, 403] : [403]).map((status) => [1, status]));
        const leaks = [SECRET, "Bearer", session ?? SECRET].filter((text) =>
          JSON.stringify([own(), scripted.events().filter(({ type }) => type === "test.number")]).includes(
            text,
          ),
        );
        expect(leaks).toEqual([]);
      },
    );
  });
});
