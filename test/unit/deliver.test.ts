/** What the edge makes of a link: what it passes on, what it believes, and what it says was handed over. */
import { describe, expect, it } from "vitest";
import { deliver } from "../../src/edge/deliver.ts";
import type { Attached, Link } from "../../src/host.ts";
import { sessionNotFound } from "../../src/jsonrpc/failures.ts";
import { resolveOptions } from "../../src/options.ts";
import { controlFrame } from "../../src/sse/control.ts";
import { commentLine, messageFrame, primingFrame } from "../../src/sse/frames.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const AT = controlFrame({ type: "at", value: "s.0" });
const END = controlFrame({ type: "end", value: "done" });

interface Played {
  readonly link: Link;
  readonly acks: number[];
  readonly closed: Promise<[reason: string, seq: number]>;
}

/** A link that brings these chunks, then ends. */
function play(...chunks: string[]): Played {
  const acks: number[] = [];
  let onClosed: (closed: [string, number]) => void = () => {};
  const closed = new Promise<[string, number]>((resolve) => (onClosed = resolve));
  const link: Link = {
    read: async () => {
      const chunk = chunks.shift();
      return chunk === undefined ? undefined : encoder.encode(chunk);
    },
    ack: (seq) => void acks.push(seq),
    beat() {},
    close: (reason, seq) => onClosed([reason, seq]),
  };
  return { link, acks, closed };
}

function carry(
  link: Link,
  redial: (lastEventId: string | undefined) => Promise<Attached> = () => Promise.reject(new Error("no")),
  renews?: boolean,
  owed?: (last: Uint8Array | undefined) => string,
): ReadableStreamDefaultReader<Uint8Array> {
  return deliver({
    connectionId: "c",
    sessionId: "session",
    settings: resolveOptions({ logLevel: "silent" }),
    signal: new AbortController().signal,
    link,
    renews,
    owed,
    redial,
  }).getReader();
}

async function all(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}

describe("a stream that is gone for good", () => {
  const gone = (): Promise<Attached> => Promise.resolve({ kind: "refused", failure: sessionNotFound });
  const handed: string[] = [];
  const owed = (last: Uint8Array | undefined): string => {
    handed.push(last === undefined ? "" : decoder.decode(last));
    return "data: owed\n\n";
  };

  it("ends with what its client is owed, by what it was handed last", async () => {
    const [first, second] = [messageFrame("s.1", "1"), messageFrame("s.2", "2")];
    const { link } = play(AT + first, second);
    expect(await all(carry(link, gone, undefined, owed))).toContain(`${second}data: owed`);
    expect(handed).toEqual([second]);
  });

  it("is not one that ended in order", async () => {
    handed.length = 0;
    await all(carry(play(AT + messageFrame("s.1", "1"), END).link, gone, undefined, owed));
    expect(handed).toEqual([]);
  });
});

describe("what was handed over", () => {
  it("is an event of which the last slice was taken, and none that was cut", async () => {
    const big = messageFrame("s.3", JSON.stringify("x".repeat(300_000)));
    const { link, closed } = play(AT + messageFrame("s.1", "1") + messageFrame("s.2", "2") + big, END);
    const reader = carry(link);
    const small = decoder.decode((await reader.read()).value);
    expect(small).toBe(messageFrame("s.1", "1") + messageFrame("s.2", "2"));
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve));
    await reader.cancel();
    expect(await closed).toEqual(["client", 2]);
  });

  it("is every frame before the cut, of many that came at once", async () => {
    const each = JSON.stringify("x".repeat(30_000));
    const run = Array.from({ length: 6 }, (_, n) => messageFrame(`s.${n + 1}`, each)).join("");
    const { link, closed } = play(AT + run, END);
    const reader = carry(link);
    // Two frames fit into a slice.
    await reader.read();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve));
    await reader.cancel();
    expect(await closed).toEqual(["client", 4]);
  });

  it("is all of it, where all of it was read", async () => {
    const text = primingFrame("s.0", 1) + messageFrame("s.1", JSON.stringify("é".repeat(200_000)));
    const { link, acks, closed } = play(AT + text, END);
    expect(await all(carry(link))).toBe(text);
    expect(acks).toEqual([1]);
    expect(await closed).toEqual(["done", 1]);
  });

  it("counts an event behind a comment", async () => {
    const text = commentLine("gap: 4 events before this one are no longer held") + messageFrame("s.5", "5");
    const { link, closed } = play(AT + text, END);
    expect(await all(carry(link))).toBe(text);
    expect(await closed).toEqual(["done", 5]);
  });
});

describe("control frames that say nothing this version knows", () => {
  it.each([":!at nowhere\n\n", ":!at s.1 s.2\n\n", ":!pong 1\n\n", ":!later 1\n\n", ":!end\n\n", ":!\n\n"])(
    "%j is for nobody",
    async (unknown) => {
      const { link, closed } = play(AT + messageFrame("s.1", "1") + unknown + messageFrame("s.2", "2"), END);
      expect(await all(carry(link))).toBe(messageFrame("s.1", "1") + messageFrame("s.2", "2"));
      expect(await closed).toEqual(["done", 2]);
    },
  );

  it("an end for an unknown reason is an end, under a reason that is known", async () => {
    const { link, closed } = play(AT + ":!end EVIL\n\n");
    expect(await all(carry(link))).toBe("");
    expect(await closed).toEqual(["closed", 0]);
  });

  it("a link that breaks is dialled again from the last event that was handed over", async () => {
    const second = play(controlFrame({ type: "at", value: "s.2" }) + messageFrame("s.3", "3"), END);
    const asked: unknown[] = [];
    const { link } = play(AT + messageFrame("s.2", "2") + ":!at s.zzzzzzzzzzz\n\n");
    const text = await all(
      carry(link, async (lastEventId) => {
        asked.push(lastEventId);
        return { kind: "stream", link: second.link };
      }),
    );
    expect(asked).toEqual(["s.2"]);
    expect(text).toBe(messageFrame("s.2", "2") + messageFrame("s.3", "3"));
  });
});

describe("a link that has reached its age", () => {
  const TIMEOUT = controlFrame({ type: "end", value: "timeout" });

  it("ends the client's connection", async () => {
    const text = await all(carry(play(AT + messageFrame("s.1", "1") + TIMEOUT).link));
    expect(text).toBe(messageFrame("s.1", "1"));
  });

  it("is renewed for a client that cannot come back, from where it was", async () => {
    const dialled: (string | undefined)[] = [];
    const next = [messageFrame("s.2", "2") + TIMEOUT, messageFrame("s.3", "3") + END];
    const text = await all(
      carry(
        play(AT + messageFrame("s.1", "1") + TIMEOUT).link,
        (lastEventId) => {
          dialled.push(lastEventId);
          return Promise.resolve({ kind: "stream", link: play(next.shift() ?? "").link });
        },
        true,
      ),
    );
    expect(dialled).toEqual(["s.1", "s.2"]);
    expect(text).toBe(messageFrame("s.1", "1") + messageFrame("s.2", "2") + messageFrame("s.3", "3"));
  });
});
