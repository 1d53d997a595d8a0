/**
 * A seeded fuzz of a whole server: no 5xx, no silence, no end of the process, a valid answer to everything, memory
 * flat. `SEQUENCE_SEED=<seed>` draws the same requests again, `FUZZ_RUNS=<n>` sets how many groups of eight.
 * @module
 */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openSse } from "../support/http-sse.ts";
import { openSession } from "../support/mcp.ts";
import { type EventStream, messageOf } from "../support/sse.ts";
import type { Subject } from "../support/subject.ts";
import { within } from "../support/wait.ts";
import type { TestServer } from "../support/workerd.ts";
import { exchange, type Reply } from "./exchange.ts";
import { faultsOf, requestsIn, staysOpen, unanswered } from "./judge.ts";
import { httpRequest, type HttpRequest, noise, resolved, type SessionName } from "./requests.ts";

const seed = inject("seed");
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 400);
const AT_ONCE = 8;
/** Longest wait for an answer. */
const ANSWER_MS = 5000;
/** What the second half of the requests may add to the process' memory. */
const GROWTH_BYTES = 160_000_000;

const SETTINGS = {
  HOLDFAST_LOG_LEVEL: "warn",
  // Sessions come and go by the hundred.
  HOLDFAST_SESSION_TTL_MS: "5000",
  HOLDFAST_TOMBSTONE_TTL_MS: "1000",
  HOLDFAST_KEEPALIVE_INTERVAL_MS: "1000",
  HOLDFAST_SUPERVISE_INTERVAL_MS: "1000",
};

/** True where the answer to a single request comes on the stream of HTTP+SSE. */
function isRelayed(request: HttpRequest): boolean {
  const { method, path, body = "" } = request;
  return (
    method === "POST" &&
    path === "/messages?sessionId={http+sse}" &&
    requestsIn(request).length === 1 &&
    !body.trimStart().startsWith("[")
  );
}

/** A report that can be read: what is drawn to be long is the same letter many times. */
function brief(report: string): string {
  return report.replace(/(.)\1{50,}/g, (run, letter: string) => `${letter}{${run.length}}`);
}

function withId(body: string, id: string): string {
  return JSON.stringify({ ...(JSON.parse(body) as object), id });
}

export function testFuzz(subject: Subject): void {
  describe(`fuzz on ${subject.name}`, () => {
    let server: TestServer & { readonly pid?: number };
    const ids = new Map<SessionName, string>();
    const leaves: (() => void)[] = [];
    let count = 0;
    let relayedCount = 0;

    /** Opens the sessions anew that are gone: ended by a request, or by their age. */
    const reopen = async (): Promise<void> => {
      for (const name of ["2025-03-26", "2025-06-18", "2025-11-25"] as const) {
        const headers = { "Mcp-Session-Id": ids.get(name) ?? "none", "Content-Type": "application/json" };
        const body = '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}';
        const Accept = "application/json, text/event-stream";
        const answer = await fetch(`${server.url}/mcp`, {
          method: "POST",
          headers: { ...headers, Accept },
          body,
        });
        await answer.body?.cancel();
        if (answer.status !== 202) ids.set(name, (await openSession(server.url, { version: name })).id);
      }
      if (!ids.has("http+sse")) {
        const { stream, id } = await openSse(server.url);
        leaves.push(() => stream.leave());
        ids.set("http+sse", id);
        // Should it break, the answers that it owes are missed.
        relay(stream).catch(() => {});
      }
    };

    /** Requests that were only accepted, and what is called once their answer comes on the stream. */
    const relayed = new Map<unknown, () => void>();
    const relay = async (stream: EventStream): Promise<void> => {
      for (let item = await stream.next(); item !== undefined; item = await stream.next()) {
        const message = messageOf(item);
        if (message !== undefined && message.method === undefined) relayed.get(message.id)?.();
      }
    };

    beforeAll(async () => {
      console.log(`fuzz on ${subject.name} from seed ${seed}`);
      server = await subject.start(SETTINGS);
    });
    afterAll(async () => {
      for (const leave of leaves) leave();
      await server.close();
    });

    /** The request as bytes. */
    const wire = ({ method, path, headers, body }: HttpRequest): Uint8Array => {
      const payload = Buffer.from(body ?? "", "utf8");
      const lines = headers.map(([name, value]) => `${name}: ${resolved(value, ids)}\r\n`).join("");
      const length = body === undefined ? "" : `Content-Length: ${payload.length}\r\n`;
      const head = `${method} ${resolved(path, ids)} HTTP/1.1\r\n${lines}${length}Connection: close\r\n\r\n`;
      return Buffer.concat([Buffer.from(head, "latin1"), payload]);
    };

    const send = async (drawn: HttpRequest): Promise<void> => {
      // On a stream that is shared an answer is known by its id.
      const request = isRelayed(drawn)
        ? { ...drawn, body: withId(drawn.body ?? "", `relayed ${++count}`) }
        : drawn;
      const requests = requestsIn(request);
      const [{ id } = { id: null }] = requests;
      const relayedAnswer = new Promise<void>((resolve) => relayed.set(id, resolve));
      const isEnough = (reply: Reply): boolean => {
        if (request.method === "HEAD" || staysOpen(request, reply, requests)) return true;
        const isStream = reply.headers.get("content-type") === "text/event-stream";
        return isStream && unanswered(request, reply).length === 0;
      };
      const blame = (what: string): Error => new Error(brief(`${what}\n${JSON.stringify(request)}`));
      const reply = await exchange({ url: server.url, bytes: wire(request), isEnough, ms: ANSWER_MS }).catch(
        (error: unknown) => {
          throw blame(String(error));
        },
      );
      if (reply === undefined) throw blame("a connection that ended without an answer");
      const faults = faultsOf(request, reply);
      if (faults.length > 0) throw blame(`${faults.join("; ")}: ${reply.status} ${reply.text.slice(0, 500)}`);
      if (reply.status === 202 && requests.length > 0) {
        if (!request.path.startsWith("/messages?")) throw blame("a request that was only accepted");
        if (isRelayed(request)) {
          await within(relayedAnswer, JSON.stringify(request), ANSWER_MS);
          relayedCount += 1;
        }
      }
      relayed.delete(id);
    };

    const memory = (): number => {
      const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1];
      return Number(rss) * 1024;
    };

    const half = async (number: number): Promise<void> => {
      const result = await fc.check(
        fc.asyncProperty(
          fc.array(httpRequest, { minLength: AT_ONCE, maxLength: AT_ONCE }),
          noise,
          async (requests, bytes) => {
            await reopen();
            const sent = requests.map(send);
            // To these there may be no answer at all; only it must not hurt the others.
            const hurled = exchange({
              url: server.url,
              bytes: Buffer.from(bytes, "latin1"),
              isEnough: () => true,
              ms: 200,
            }).catch(() => undefined);
            await Promise.all(sent);
            const reply = await hurled;
            // 501 and 505 are the runtime's own.
            expect([500, 502, 503, 504]).not.toContain(reply?.status);
          },
        ),
        { seed: seed + number, numRuns: Math.ceil(RUNS / 2), endOnFailure: true },
      );
      if (result.failed) {
        throw new Error(brief(fc.defaultReportMessage(result) ?? "failed"), { cause: result.errorInstance });
      }
    };

    test(
      "every request is answered, and answered well",
      async () => {
        await half(1);
        const before = memory();
        await half(2);
        const after = memory();
        expect(after - before).toBeLessThan(GROWTH_BYTES);

        expect((await fetch(`${server.url}/health`)).status).toBe(200);
        expect(relayedCount).toBeGreaterThan(RUNS / 40);
        const said = server.events().filter(({ type }) => type === "request.error" || type === "hook.error");
        expect(said).toEqual([]);
      },
      20_000 + RUNS * 400,
    );
  });
}
