/** Tools that say outside where they are, and go on when they are let: each step is a request to `at` (see `steps.ts`). @module */
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../../src/session/server/factory.ts";
import { text } from "../../worker/example/reply.ts";

const Stepped = z.object({ at: z.string() });

/** `stepped`, and `stepped_again`, which may run again (with `TEST_RERUN`). */
export function registerSteppedTools(server: McpServer, context: ServerContext): void {
  const tell = async (at: string, step: string): Promise<void> => {
    await (await fetch(`${at}/${step}`, { method: "POST" })).arrayBuffer();
  };
  for (const name of ["stepped", "stepped_again"]) {
    server.registerTool(
      name,
      {
        description: "Counts itself, tells how far it is, and answers with the count",
        inputSchema: Stepped,
        // Asked by the session before the tool runs.
        async scopeChallenge({ request }: { readonly request: { readonly params?: unknown } }) {
          const { arguments: given } = request.params as { arguments: z.infer<typeof Stepped> };
          await tell(given.at, "before");
          return undefined;
        },
      },
      async ({ at }, ctx) => {
        await tell(at, "ran");
        const state = context.era === "session" ? context.session.state : undefined;
        const count = (state?.get<number>("stepped") ?? 0) + 1;
        state?.set("stepped", count);
        const params = { level: "info" as const, logger: "stepped", data: { n: count } };
        await ctx.mcpReq.notify({ method: "notifications/message", params });
        await tell(at, "running");
        return text(`stepped ${count}`);
      },
    );
  }
}
