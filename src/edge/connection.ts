/**
 * One client connection that carries a stream: its pace, its keepalive, and its end, which comes once
 * whatever causes it.
 *
 * A client that goes away is often seen only by a write that fails, so the keepalive is also the
 * detector. Timers are lazy: one is pending per connection, and a write does not touch it. Times are the
 * monotonic clock's: one that is set back would put keepalives off for as long.
 * @module
 */
import type { DisconnectReason } from "../events.ts";
import { hookFailed } from "../hooks.ts";
import type { Settings } from "../options.ts";
import { createKeepalive } from "./keepalive.ts";
import { createSink, type Sink } from "./sink.ts";

/** A client's connection that carries a stream, from its first byte to its end. */
export interface Connection {
  readonly id: string;
  readonly readable: ReadableStream<Uint8Array>;
  /** Settles once, when the connection is over. */
  readonly ended: Promise<DisconnectReason>;
  /** Settles after that: true where the client's side has taken all that was written, false where it was cut off. */
  readonly drained: Promise<boolean>;
  /**
   * Writes whole frames, `count` of them, in slices: each must be taken within `sendTimeoutMs`, however large
   * the whole. Resolves once the client's side has taken the last; rejects once the connection is over.
   */
  write(frames: Uint8Array, count?: number): Promise<void>;
  /** The client answered a keepalive `ping`. */
  pong(id: string): void;
  /**
   * Ends the connection. In the middle of a frame, for `failures`, and where `breaks` says so, it is cut; else it ends
   * after what was written.
   */
  end(reason: DisconnectReason): void;
}

/** Whose connection it is, and who hears of its end. */
export interface ConnectionOptions {
  readonly id: string;
  readonly sessionId: string | undefined;
  readonly settings: Settings;
  /** Aborts when the runtime sees the client leave. */
  readonly signal: AbortSignal;
  /** Where its client is to come back, it is cut: that client does not come back from an end in order. */
  readonly breaks?: boolean | undefined;
  /** A write went through: proof of life for the session, given once in a keepalive interval. */
  readonly onAlive: () => void;
}

/** Ends after which the client is to come back. Not after `replaced`: it has, by another connection. */
const COMES_BACK: readonly DisconnectReason[] = ["timeout", "shutdown", "overflow", "closed", "lost"];

const TAKES_NOTHING = "its client takes nothing";

/** Bytes that are written at once. */
export const SLICE = 65_536;

/** Timers count whole milliseconds and may ring a part of one early. */
const EARLY_MS = 1;

const now = (): number => performance.now();

/** Makes the connection; its body is to be given to the client at once. */
export function createConnection(options: ConnectionOptions): Connection {
  const { id, settings, signal } = options;
  const { emit } = settings;
  const openedAt = now();
  const keepalive = createKeepalive(id, openedAt, settings);
  let over: DisconnectReason | undefined;
  let resolveEnded: (reason: DisconnectReason) => void = () => {};
  const ended = new Promise<DisconnectReason>((resolve) => (resolveEnded = resolve));
  let resolveDrained: (isDrained: boolean | Promise<boolean>) => void = () => {};
  const drained = new Promise<boolean>((resolve) => (resolveDrained = resolve));
  let established = false;
  let framesSent = 0;
  /** Failures in a row: writes that the client does not take, or pings that it does not answer. */
  let failures = 0;
  let pending = 0;
  /** Bytes of the frames that are being written that have not been given to the sink. */
  let unwritten = 0;
  let pendingSince = openedAt;
  let quietSince = openedAt;
  let aliveAt = openedAt;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAt = Infinity;

  const lost = (by: "cancel" | "signal" | "write"): void => {
    if (over !== undefined) return;
    emit("connection.closed_detected", { connectionId: id, by });
    end("client");
  };

  const sink = createSink(() => lost("cancel"));

  const end = (reason: DisconnectReason): void => {
    if (over !== undefined) return;
    over = reason;
    if (timer !== undefined) clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    let taken: Promise<boolean> | false = false;
    if (reason === "client") void sink.close();
    else if (reason === "failures" || unwritten > 0) sink.abort(TAKES_NOTHING);
    else if (options.breaks && COMES_BACK.includes(reason))
      sink.abort(`its client is to come back (${reason})`);
    else taken = closeSink(sink, settings.sendTimeoutMs);
    resolveDrained(taken);
    const durationMs = Math.round(now() - openedAt);
    emit("connection.closed", { connectionId: id, reason, durationMs, framesSent });
    void runHook(settings, { sessionId: options.sessionId, connectionId: id, reason, durationMs });
    resolveEnded(reason);
  };

  const onAbort = (): void => lost("signal");
  signal.addEventListener("abort", onAbort);

  const failed = (): void => {
    failures += 1;
    emit("ping.failed", { connectionId: id, consecutiveFailures: failures });
    if (failures < settings.keepaliveMaxFailures) return;
    emit("connection.max_failures", { connectionId: id, failures });
    emit("connection.force_close", { connectionId: id, reason: "failures" });
    end("failures");
  };

  const write = async (bytes: Uint8Array, count = 1): Promise<void> => {
    if (over !== undefined) throw new Error(`the connection is over: ${over}`);
    if (pending === 0) pendingSince = now();
    pending += 1;
    arm();
    try {
      for (let at = 0; at < bytes.length; at += SLICE) {
        if (over !== undefined) throw new Error(`the connection is over: ${over}`);
        unwritten = Math.max(0, bytes.length - at - SLICE);
        await sink.write(bytes.length <= SLICE ? bytes : bytes.subarray(at, at + SLICE));
        taken();
      }
    } catch (error) {
      lost("write");
      throw error;
    } finally {
      pending -= 1;
    }
    framesSent += count;
    // The pending look may be the one at a write that hung: the next keepalive is due before it.
    arm();
  };

  /** The client's side has taken a slice. */
  const taken = (): void => {
    quietSince = pendingSince = now();
    // Not by keepalives alone: a stream that is busy sends none.
    if (settings.keepaliveIntervalMs > 0 && quietSince - aliveAt >= settings.keepaliveIntervalMs) {
      aliveAt = quietSince;
      options.onAlive();
    }
    if (settings.keepaliveMode !== "jsonrpc") failures = 0;
    if (established || over !== undefined) return;
    established = true;
    emit("connection.established", { connectionId: id });
  };

  /** When the timer has something to do: a keepalive after silence, or a look at a write that hangs. */
  const nextLook = (): number => {
    if (pending > 0) {
      return settings.sendTimeoutMs > 0 ? pendingSince + settings.sendTimeoutMs * (failures + 1) : Infinity;
    }
    return settings.keepaliveIntervalMs > 0 ? quietSince + settings.keepaliveIntervalMs : Infinity;
  };

  const arm = (): void => {
    const at = nextLook();
    if (over !== undefined || at >= timerAt) return;
    if (timer !== undefined) clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(look, Math.max(0, at - now()));
  };

  const look = (): void => {
    timerAt = Infinity;
    if (nextLook() <= now() + EARLY_MS) {
      if (pending > 0) failed();
      else beat();
    }
    arm();
  };

  const beat = (): void => {
    if (keepalive.isUnanswered()) failed();
    if (over !== undefined) return;
    const spin = keepalive.spin();
    if (spin !== undefined) {
      emit("connection.spin_detected", { connectionId: id, ...spin });
      return end("failures");
    }
    const { bytes, count } = keepalive.next();
    quietSince = now();
    write(bytes).then(
      () => emit("ping.sent", { connectionId: id, pingCount: count }),
      () => {},
    );
  };

  emit("keepalive.start", {
    connectionId: id,
    intervalMs: settings.keepaliveIntervalMs,
    maxStreamMs: settings.maxStreamMs,
  });
  if (signal.aborted) lost("signal");
  else arm();

  return {
    id,
    readable: sink.readable,
    ended,
    drained,
    write,
    pong(answered) {
      if (keepalive.answer(answered)) failures = 0;
    },
    end,
  };
}

/** An end that a stalled reader does not take either must not stay for ever. */
function closeSink(sink: Sink, timeoutMs: number): Promise<boolean> {
  const closed = sink.close();
  if (timeoutMs === 0) return closed;
  const timer = setTimeout(() => sink.abort(TAKES_NOTHING), timeoutMs);
  void closed.then(() => clearTimeout(timer));
  return closed;
}

async function runHook(
  settings: Settings,
  disconnect: Parameters<NonNullable<Settings["onDisconnect"]>>[0],
): Promise<void> {
  const { onDisconnect, emit, cleanupTimeoutMs } = settings;
  if (onDisconnect === undefined) return;
  const timer = setTimeout(
    () => emit("cleanup.timeout", { connectionId: disconnect.connectionId, afterMs: cleanupTimeoutMs }),
    cleanupTimeoutMs,
  );
  try {
    await onDisconnect(disconnect);
  } catch (error) {
    hookFailed(emit, "onDisconnect", error);
  } finally {
    clearTimeout(timer);
  }
}
