/**
 * The floor of a fan-out: streams of one isolate, each woken by a promise of its own request. No hub, no
 * protocol, nobody who looks after them.
 * @module
 */
import { DurableObject } from "cloudflare:workers";

const encoder = new TextEncoder();
const frame = (method: string): Uint8Array =>
  encoder.encode(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", method, params: {} })}\n\n`);
const ACKNOWLEDGED = frame("notifications/subscriptions/acknowledged");
const CHANGED = frame("notifications/tools/list_changed");

const listeners = new Set<() => void>();

function listen(): Response {
  let waiting: Uint8Array[] = [ACKNOWLEDGED];
  let wake: () => void = () => {};
  listeners.add(() => {
    waiting.push(CHANGED);
    wake();
  });
  // A request with nothing under way would be taken for one that hangs.
  setInterval(() => {}, 15_000);
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        for (const bytes of waiting) controller.enqueue(bytes);
        waiting = [];
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

export class McpSession extends DurableObject {}
export class McpHub extends DurableObject {}

export default {
  fetch(request) {
    if (request.url.endsWith("/mcp")) return listen();
    if (request.url.endsWith("/__bench/publish")) for (const tell of listeners) tell();
    return new Response("ok");
  },
} satisfies ExportedHandler;
