/** A server's questions to whoever sits at the command line, in the eras that ask differently. */
import { afterEach, expect, test } from "vitest";
import { startNode } from "../support/node.ts";
import { sitting } from "./support/sitting.ts";
import { startStateless } from "./support/stateless-server.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

test("in a session", async () => {
  const server = await startNode();
  closing.push(() => server.close());
  const call = ["connect", `${server.url}/mcp`, "--tool", "ask", "--tool-arg", "message=Which colour?"];
  const { code, out, asked } = await sitting(call, ["y", "blue"]);
  expect(asked[0]).toContain("Which colour?");
  expect(out).toContain("blue");
  expect(code).toBe(0);
});

test("in the stateless era, where a call is made again with the answer", async () => {
  const server = await startStateless();
  closing.push(() => server.close());
  const { code, out, asked } = await sitting(["connect", server.url, "--tool", "name"], ["y", "Ada"]);
  expect(asked).toHaveLength(2);
  expect({ code, out }).toEqual({ code: 0, out: "hello Ada\n" });
});

test("where there is no terminal, the client does not say that it can be asked", async () => {
  const server = await startStateless();
  closing.push(() => server.close());
  const { code, out, error } = await sitting(["connect", server.url, "--tool", "name"], undefined);
  expect(out).toBe("");
  expect(error).toContain("[ERROR]");
  expect(code).toBe(1);
});
