/** What holds an object awake: a call's stream does as long as it lasts, however it ends, and nothing of it does after. */
import { describe, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { workerd } from "../support/hosts.ts";
import { openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { serve } from "../support/subject.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each([workerd])("on $name", (host) => {
  const server = serve(host);
  const burst = (tag: string, on: "request" | "standalone"): ReturnType<typeof toolCall> =>
    toolCall("burst", { tag, sizes: [1, 1, 1], intervalMs: 50, on });

  test.concurrent.each(["read to its end", "left in the middle"])(
    "an object sleeps after a call's stream that was %s, while its client's own stream stands",
    { timeout: 120_000 },
    async (how) => {
      const session = await openSession(server.url);
      const standing = await session.get();
      const stream = await session.stream(burst("call", "request"));
      await stream.message();
      if (how === "read to its end") await stream.rest();
      else stream.leave();
      const { bootId } = await inspect(server.url, session.id);
      // Each look wakes it, so looks are far apart; it falls asleep some ten seconds after the last.
      let now = bootId;
      for (let looks = 0; looks < 4 && now === bootId; looks++) {
        await pause(12_000 + 4000 * looks);
        now = (await inspect(server.url, session.id)).bootId;
      }
      expect(now).not.toBe(bootId);
      await session.request(burst("woken", "standalone"));
      expect(await standing.messages(3)).toHaveLength(3);
      standing.leave();
    },
  );
});
