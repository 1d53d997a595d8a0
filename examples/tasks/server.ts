/**
 * A crawl that goes on after each restart: the task keeps its place, and begins no page again that it has noted as done.
 * @module
 */
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../../src/index.ts";
import { durableTasks } from "../../src/tasks/index.ts";

const Crawl = z.object({
  /** Its pages are `<site>/1` and so on. */
  site: z.url(),
  pages: z.int().min(1).max(10_000),
});

/** Where a crawl stands. One value, so that it is stored whole or not at all. */
interface Place {
  readonly done: number;
  readonly words: number;
}

/** What `modernHandler` is told, and what `rerun` says of the same tool: it may begin again, because it keeps its place. */
export const tasks = durableTasks({
  tool: ({ params }) => (params?.["name"] === "crawl" ? "required" : "never"),
});
export const mayRunAgain = ({ params }: { params?: Record<string, unknown> }): boolean =>
  params?.["name"] === "crawl";

export function createServer(context: ServerContext): McpServer {
  const task = context.era === "task" ? context.task : undefined;
  const server = new McpServer({ name: "crawler", version: "1.0.0" });

  server.registerTool(
    "crawl",
    { description: "Counts the words of a site", inputSchema: Crawl },
    async ({ site, pages }, ctx) => {
      let place: Place = task?.state.get<Place>("place") ?? { done: 0, words: 0 };
      while (place.done < pages) {
        const page = await fetch(`${site}/${place.done + 1}`, { signal: ctx.mcpReq.signal });
        if (!page.ok) throw new Error(`page ${place.done + 1} answered ${page.status}`);
        const words = (await page.text()).split(/\s+/).filter(Boolean).length;
        place = { done: place.done + 1, words: place.words + words };
        task?.state.set("place", place);
        task?.progress(`${place.done} of ${pages} pages`);
      }
      const said = `${place.words} words on ${pages} pages, in ${task?.attempt ?? 1} attempts`;
      return { content: [{ type: "text", text: said }] };
    },
  );
  return server;
}
