/** A connection closes once, whatever the server does, and nothing comes after: G-06 … G-09. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../support/wait.ts";
import { cleanUp, closing } from "./support/cleanup.ts";
import { type Connecting, prepareConnect } from "./support/connecting.ts";
import type { HttpServer } from "./support/http-server.ts";
import { URL_OF_SCRIPT } from "./support/raw-session.ts";
import { logRequests } from "./support/requests.ts";
import { createScript, pass } from "./support/script.ts";
import { type PlainClient, SDK_PARTS } from "./support/sdk-parts.ts";
import { sdkSessionServer } from "./support/sdk-session-server.ts";
import type { RunningTarget } from "./support/target.ts";

afterEach(cleanUp);

describe.each(SDK_PARTS)("with $name", (parts) => {
  let client: PlainClient;
  let heard: string[];
  let open: Connecting["open"];
  beforeEach(() => {
    ({ client, heard, open } = prepareConnect(parts));
  });

  describe("closes", () => {
    let server: RunningTarget & { http: HttpServer };
    beforeEach(async () => {
      server = closing((await sdkSessionServer.start()) as typeof server);
    });

    test("once, however often it is asked to, and tells the server", async () => {
      const requests = logRequests();
      const connection = await open(server.url, { fetch: requests.fetch });
      await Promise.all([1, 2, 3, 4, 5].map(() => connection.close()));
      await connection.close();
      expect(heard).toEqual(["close"]);
      expect(requests.sent.filter(({ method }) => method === "DELETE").map((sent) => sent.status)).toEqual([
        200,
      ]);
      await eventually(async () => expect(await server.http.connections()).toBe(0));
    });

    test("without a word to the server, where it should not", async () => {
      const requests = logRequests();
      const connection = await open(server.url, { fetch: requests.fetch, terminate: false });
      await connection.close();
      expect(requests.count("DELETE")).toBe(0);
    });

    test("without an error, where the server is gone or the client is closed already", async () => {
      const first = await open(server.url);
      await server.http.stop();
      await first.close();
      await server.http.start();
      const closesHeard = heard.filter((what) => what === "close").length;
      const second = await open(server.url);
      await client.close();
      await second.close();
      expect(heard.filter((what) => what === "close")).toHaveLength(closesHeard + 1);
      expect(heard.filter((what) => what.includes("terminate"))).toEqual([]);
    });

    test("though the server never says that it has ended the session", async () => {
      vi.useFakeTimers();
      const script = createScript(({ method }) => {
        if (method === "GET") return new Response(null, { status: 405 });
        return method === "DELETE" ? new Promise<Response>(() => undefined) : pass();
      });
      const connection = await open(URL_OF_SCRIPT, { fetch: script.fetch, eras: ["session"] });
      const closed = connection.close();
      await script.nth("DELETE", 1);
      await vi.advanceTimersByTimeAsync(1000);
      await closed;
      expect(script.of("DELETE")[0]?.signal?.aborted).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
