/**
 * `subscriptions/listen`. The SDK validates the request, narrows the filter, acknowledges, and says
 * goodbye when the handler closes; between acknowledgement and goodbye the changes of the bus are put
 * in here.
 *
 * A change is encoded once for all streams of the same subscription id, and clients number theirs
 * alike. Listeners are called from the request that holds the link to the hub, which on Workers must
 * not touch another request's connection: so each stream has a queue, emptied by its own reader. It is
 * read as a body is: a loop in the stream's request that did nothing but wait for the queue was taken by
 * workerd for a request that hangs, and cut off, once there were some hundreds of them.
 *
 * Workers that do not set the flag `enable_request_signal` end a request whose client has left without
 * a word to its code. So each stream shows that it is alive, and one that does not is cleared away.
 * @module
 */
import { type ChangeBus, type Notice, notificationOf } from "../changes.ts";
import { SSE_HEADERS } from "../http/headers.ts";
import { json } from "../http/respond.ts";
import { notWatched } from "../jsonrpc/failures.ts";
import type { JsonRpcNotification, RequestId } from "../jsonrpc/messages.ts";
import { toWire } from "../jsonrpc/wire.ts";
import { asideFrame } from "../sse/frames.ts";
import type { ListeningFor } from "./extension.ts";
import type { Place } from "./places.ts";

/** Bytes that may wait for a reader who is gone without a word. The edge ends slow readers long before. */
const MAX_WAITING = 33_554_432;
/** A stream shows that it is alive at least this often. */
const BEAT_MS = 15_000;
/** Signs of life that a stream may miss, and what a busy isolate may be late by besides. */
const MISSED = 3;
const LATE_MS = 2000;

/** Bytes that a name takes which is to be looked up. */
const LOOK = 256;

const ID = "io.modelcontextprotocol/subscriptionId";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Filter {
  toolsListChanged?: boolean;
  promptsListChanged?: boolean;
  resourcesListChanged?: boolean;
  resourceSubscriptions?: string[];
}

/** The streams of `subscriptions/listen` in this isolate. */
export interface Listens {
  /**
   * Puts the changes of the bus, and what an extension makes of them, into the SDK's answer to a request to listen.
   */
  serve(response: Response, listener: Listener): Promise<Response>;
  /** Clears away the streams whose requests were ended without a word. */
  sweep(): void;
  /** Says goodbye to those that the SDK knows nothing of any more. */
  close(): void;
}

/** Who listens. */
export interface Listener {
  /** Given back once nothing of the listener is left. */
  readonly place: Place;
  readonly bus: ChangeBus;
  /** The extension's part of what is listened for; undefined where there is none. */
  readonly more: ListeningFor | undefined;
  /** In milliseconds: the stream shows that it is alive as often as its client is shown, or more often. */
  readonly keepaliveMs: number;
}

/** A stream that is open, as far as is known. */
interface Open {
  /** Until when it is taken for alive. */
  aliveUntil: number;
  end(): void;
  goodbye(): void;
}

/** None at first. */
export function createListens(): Listens {
  const open = new Set<Open>();
  let sweptAt = 0;

  const sweep = (): void => {
    sweptAt = Date.now();
    for (const stream of open) if (stream.aliveUntil < sweptAt) stream.end();
  };

  return {
    sweep,
    close() {
      for (const stream of open) stream.goodbye();
    },
    serve: (response, listener) =>
      serveListen(response, listener, (ends) => {
        const beatMs = Math.min(BEAT_MS, listener.keepaliveMs || BEAT_MS);
        const lifeMs = MISSED * beatMs + LATE_MS;
        const stream: Open = { aliveUntil: Date.now() + lifeMs, ...ends };
        open.add(stream);
        // A timer of the stream's own request: it stops with it.
        const beat = setInterval(() => {
          stream.aliveUntil = Date.now() + lifeMs;
          if (Date.now() - sweptAt >= beatMs) sweep();
        }, beatMs);
        return () => {
          open.delete(stream);
          clearInterval(beat);
        };
      }),
  };
}

/** A frame, or what brings some when their turn comes: in the stream's own request, which alone may write to it. */
type Queued = Uint8Array | (() => Promise<readonly Uint8Array[]>);

/** @param onOpen is given what ends the stream, and returns what to call once it has ended */
async function serveListen(
  response: Response,
  { place, bus, more }: Listener,
  onOpen: (ends: Pick<Open, "end" | "goodbye">) => () => void,
): Promise<Response> {
  if (response.body === null || response.headers.get("content-type") !== SSE_HEADERS["Content-Type"]) {
    place.leave();
    return response;
  }
  const reader = response.body.getReader();
  const { value: ack } = await reader.read();
  if (ack === undefined) {
    place.leave();
    return new Response(null, { headers: SSE_HEADERS });
  }
  const { id, filter } = acknowledged(ack);
  const accepts = matcher(filter, place.uris);
  const queue: Queued[] = [];
  let waiting = 0;
  let over = false;
  let wake: (() => void) | undefined;

  const push = (item: Queued): void => {
    queue.push(item);
    // Of one that has yet to be looked up nothing is held but its name.
    waiting += typeof item === "function" ? LOOK : item.length;
    if (waiting > MAX_WAITING) {
      queue.length = 0;
      end();
    }
    wake?.();
  };
  const framed = (told: readonly JsonRpcNotification[]): Uint8Array[] =>
    told.map((notification) => frameOf(notification, id));
  const unsubscribe = bus.subscribe((change) => {
    if (over) return;
    if (change.kind === "signal") {
      const look = more?.hear(change);
      if (look !== undefined) push(async () => framed(await look()));
    } else if (accepts(change)) push(frameFor(change, id));
  });
  const end = (): void => {
    if (over) return;
    over = true;
    closed();
    unsubscribe();
    place.leave();
    reader.cancel().catch(() => {});
    wake?.();
  };
  let goodbyeFrame: Uint8Array | undefined;
  const closed = onOpen({
    end,
    goodbye() {
      if (over || goodbyeFrame === undefined) return;
      push(goodbyeFrame);
      end();
    },
  });

  try {
    // Acknowledged means heard: not before the hub has this isolate on its list.
    await bus.ready?.();
    const granted = await more?.grant();
    const first = granted === undefined ? ack : acknowledging(ack, { ...filter, ...granted.filter });
    // Before what has been heard meanwhile.
    queue.unshift(first, ...framed(granted?.told ?? []));
    // Of nothing that it knows the SDK takes leave at once; where something else is listened for, it waits.
    if (Object.keys(filter).length === 0 && Object.keys(granted?.filter ?? {}).length > 0) {
      goodbyeFrame = (await reader.read()).value;
    }
  } catch {
    end();
    return json(toWire(notWatched(id)));
  }

  const goodbye = async (): Promise<void> => {
    while (goodbyeFrame === undefined) {
      const { done, value } = await reader.read();
      if (done) return end();
      push(value);
    }
  };
  goodbye().catch(end);

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // Not before something has come of it: whoever pulls in vain is not asked again.
        for (let isFed = false; !isFed;) {
          while (queue.length === 0 && !over) await new Promise<void>((resolve) => (wake = resolve));
          const items = queue.splice(0);
          waiting = 0;
          for (const item of items) {
            const frames = typeof item === "function" ? await item().catch(() => []) : [item];
            for (const frame of frames) controller.enqueue(frame);
            isFed ||= frames.length > 0;
          }
          if (!over || queue.length > 0) continue;
          controller.close();
          break;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: SSE_HEADERS });
}

/** The SDK's acknowledgement, with another filter. */
function acknowledging(frame: Uint8Array, filter: object): Uint8Array {
  const { method, params } = messageIn(frame);
  return encode({ jsonrpc: "2.0", method, params: { ...params, notifications: filter } });
}

function messageIn(frame: Uint8Array): JsonRpcNotification {
  return JSON.parse(/^data: (.*)$/m.exec(decoder.decode(frame))?.[1] ?? "") as JsonRpcNotification;
}

/** What the SDK's acknowledgement grants, and under which id. */
function acknowledged(frame: Uint8Array): { id: RequestId; filter: Filter } {
  const { params } = messageIn(frame);
  const meta = params?.["_meta"] as { [ID]: RequestId };
  return { id: meta[ID], filter: params?.["notifications"] as Filter };
}

/** @param asked the resources as the request named them: the SDK keeps these, and the acknowledgement's are copies */
function matcher(
  { toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions }: Filter,
  asked: readonly unknown[],
): (change: Notice) => boolean {
  const granted = new Set<unknown>(resourceSubscriptions);
  const same = new Set(asked.filter((uri) => granted.has(uri)));
  const uris = same.size === granted.size ? same : granted;
  return (change) => {
    switch (change.kind) {
      case "tools_list_changed":
        return toolsListChanged === true;
      case "prompts_list_changed":
        return promptsListChanged === true;
      case "resources_list_changed":
        return resourcesListChanged === true;
      case "resource_updated":
        return uris.has(change.uri);
    }
  };
}

/** The change that frames were last built for, and each frame by the subscription id in it. */
let latest: Notice | undefined;
const frames = new Map<RequestId, Uint8Array>();

/** The bus hands one change to all its listeners before the next, so one change's frames are enough to keep. */
function frameFor(change: Notice, id: RequestId): Uint8Array {
  if (change !== latest) {
    latest = change;
    frames.clear();
  }
  let frame = frames.get(id);
  if (frame === undefined) {
    frame = frameOf(notificationOf(change), id);
    frames.set(id, frame);
  }
  return frame;
}

function frameOf({ method, params }: JsonRpcNotification, id: RequestId): Uint8Array {
  const meta = { ...(params?.["_meta"] as object | undefined), [ID]: id };
  return encode({ jsonrpc: "2.0", method, params: { ...params, _meta: meta } });
}

function encode(message: object): Uint8Array {
  return encoder.encode(asideFrame(toWire(message)));
}
