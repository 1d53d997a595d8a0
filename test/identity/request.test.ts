/** What a tool is told of the HTTP request that it answers: in SDK v1 as `requestInfo`, in v2 as `request`. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { textOf, toolCall } from "../support/messages.ts";
import { answerOf, openSession } from "../support/mcp.ts";

async function seenBy(url: string, tag: string): Promise<Record<string, unknown>> {
  const session = await openSession(url);
  const answer = await answerOf(await session.post(toolCall("request"), { "X-Tag": tag }));
  return JSON.parse(textOf(answer) ?? "") as Record<string, unknown>;
}

describe.each(hosts)("on $name", (host) => {
  describe("SDK v1", () => {
    const server = mortal(host, { TEST_SDK: "v1" });

    test("a tool sees the headers and the URL of its own call, and can print them", async () => {
      const [one, two] = await Promise.all([seenBy(server.url, "one"), seenBy(server.url, "two")]);
      const url = `${server.url}/mcp`;
      expect(one).toMatchObject({ header: "one", url, printed: { headers: { "x-tag": "one" }, url } });
      expect(two).toMatchObject({ header: "two", url, printed: { headers: { "x-tag": "two" }, url } });
    });
  });

  describe("SDK v2", () => {
    const server = mortal(host);

    test("a tool sees the request of its own call", async () => {
      const [one, two] = await Promise.all([seenBy(server.url, "one"), seenBy(server.url, "two")]);
      const url = `${server.url}/mcp`;
      expect(one).toEqual({ method: "POST", header: "one", url });
      expect(two).toEqual({ method: "POST", header: "two", url });
    });
  });
});
