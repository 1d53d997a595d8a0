/** A Worker with bindings that workerd alone does not have (KV, rate limits), in Miniflare. @module */
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { bundleWorker, freePort } from "./workerd.ts";

export interface MiniflareOptions {
  readonly entry: string;
  /** Variables; they may depend on the URL under which the Worker is reached. */
  readonly vars: (url: string) => Readonly<Record<string, string>>;
  readonly kv?: readonly string[];
  readonly ratelimits?: Readonly<Record<string, { limit: number; period: 10 | 60 }>>;
}

export interface MiniflareServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function startMiniflare({
  entry,
  vars,
  kv = [],
  ratelimits = {},
}: MiniflareOptions): Promise<MiniflareServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = new Miniflare(
    convertV4MiniflareOptions({
      port,
      host: "127.0.0.1",
      modules: true,
      script: await bundleWorker(entry),
      compatibilityDate: "2026-08-01",
      compatibilityFlags: ["enable_request_signal"],
      bindings: vars(url),
      durableObjects: {
        MCP_SESSION: { className: "McpSession", useSQLite: true },
        MCP_HUB: { className: "McpHub", useSQLite: true },
      },
      kvNamespaces: [...kv],
      ratelimits: Object.fromEntries(
        Object.entries(ratelimits).map(([name, simple]) => [name, { namespace_id: name, simple }]),
      ),
    }),
  );
  await running.ready;
  return { url, close: () => running.dispose() };
}
